package threads

import (
	"runtime"
	"sync"
)

const (
	// The threads that the agent has in the kernel at one time: two that run Go, a fork, a read of the counters, a read of the
	// process list, and blockingSlots. The runtime adds a few of its own; the executor allows 16 in the sandbox's limit.
	reserved = 9
	// Work with files may wait in the kernel, and holds a thread as long.
	blockingSlots = 4
)

// Start makes the agent's threads now. A fork bomb leaves no room for another one, and the Go runtime ends the process if it
// cannot make a thread that it needs.
func Start() {
	runtime.GOMAXPROCS(2)
	var running, release sync.WaitGroup
	release.Add(1)
	for range reserved {
		running.Add(1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			running.Done()
			release.Wait()
		}()
	}
	running.Wait()
	release.Done()
}

var slots = make(chan struct{}, blockingSlots)

// Blocking does work that may wait in the kernel, at most four at a time.
func Blocking[T any](work func() (T, error)) (T, error) {
	slots <- struct{}{}
	defer func() { <-slots }()
	return work()
}
