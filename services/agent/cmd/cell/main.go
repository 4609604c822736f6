// Command cell is the first process of a cell. It is started by the agent in namespaces of its own, makes its surroundings,
// gives up what it no longer needs, and then runs one step after the other.
package main

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cells"
)

func main() {
	// What is given up is the thread's, so all is done by this one: its children inherit from it.
	runtime.LockOSThread()
	if err := run(&link{socket: cells.Socket}); err != nil {
		// The agent has gone, or it no longer wants the cell.
		os.Exit(1)
	}
}

func run(agent *link) error {
	unix.CloseOnExec(agent.socket)
	request, err := agent.receive()
	if err != nil {
		return err
	}
	if request.Kind != cells.Begin {
		return request.Unexpected()
	}
	proc := 0
	if err = identify(); err == nil {
		proc, err = furnish(request.Texts)
	}
	if err != nil {
		return agent.send(cells.Failure(cells.Failed, err))
	}
	if err := agent.send(cells.Message{Kind: cells.Ready}); err != nil {
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
		return agent.send(cells.Failure(cells.Failed, err))
	}
	if err := agent.send(cells.Message{Kind: cells.Opened}, program); err != nil {
		return err
	}
	_ = unix.Close(program)
	return runner{agent: agent, proc: proc}.serve()
}
