// Command cell is the first process of a cell. The agent starts it in namespaces of its own; it mounts the cell's file systems,
// gives up the capabilities for that, and then runs one step after the other.
package main

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cell/wire"
)

func main() {
	// Capabilities belong to a thread, and children inherit them from it: this thread does all the work.
	runtime.LockOSThread()
	if err := run(&link{socket: wire.Socket}); err != nil {
		// The agent has gone, or has closed the cell.
		os.Exit(1)
	}
}

func run(agent *link) error {
	unix.CloseOnExec(agent.socket)
	if err := agent.send(wire.Message{Kind: wire.Made}); err != nil {
		return err
	}
	request, err := agent.receive()
	if err != nil {
		return err
	}
	if request.Kind != wire.Begin {
		return request.Unexpected()
	}
	proc := 0
	if err = identify(); err == nil {
		proc, err = furnish(request.Texts)
	}
	if err != nil {
		return agent.send(wire.Failure(wire.Failed, err))
	}
	if err := agent.send(wire.Message{Kind: wire.Ready}); err != nil {
		return err
	}
	if request, err = agent.receive(); err != nil {
		return err
	}
	sizes, err := request.Sizes()
	if err != nil {
		return err
	}
	program, err := mountOwn(sizes)
	if err == nil {
		err = confine()
	}
	if err != nil {
		return agent.send(wire.Failure(wire.Failed, err))
	}
	if err := agent.send(wire.Message{Kind: wire.Opened}, program); err != nil {
		return err
	}
	_ = unix.Close(program)
	return runner{agent: agent, proc: proc}.serve()
}
