package main

import (
	"runtime"
	"sync"
)

const (
	// What the agent ever has in the kernel at one time: two running, a fork, a look at the counters and at the process
	// list, and blockingSlots. The runtime adds a few of its own, and the executor allows 16 in the sandbox's limit.
	reservedThreads = 9
	// Work with files may wait in the kernel, and holds a thread for so long.
	blockingSlots = 4
)

// startThreads makes the agent's threads now. A fork bomb leaves no room for another one, and the Go runtime ends the
// process when it cannot make a thread that it needs.
func startThreads() {
	runtime.GOMAXPROCS(2)
	var running, release sync.WaitGroup
	release.Add(1)
	for range reservedThreads {
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

// blocking does work that may wait in the kernel, a few at a time.
func blocking[T any](work func() (T, error)) (T, error) {
	slots <- struct{}{}
	defer func() { <-slots }()
	return work()
}
