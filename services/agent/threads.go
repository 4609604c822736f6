package main

import (
	"runtime"
	"sync"
)

// reservedThreads covers what the agent ever has in the kernel at one time: two running, the runtime's own, one fork,
// and the file operations of fileSlots.
const reservedThreads = 12

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
