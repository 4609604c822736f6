// Command pause does nothing: it keeps a pod's namespaces, and those of the cluster, and reaps what others leave to it.
package main

import (
	"os/signal"
	"syscall"
)

func main() {
	// The kernel reaps for whom ignores it.
	signal.Ignore(syscall.SIGCHLD)
	for {
		_ = syscall.Pause()
	}
}
