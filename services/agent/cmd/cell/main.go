// Command cell is the first process of a cell. It is started by the agent in namespaces of its own, makes its surroundings,
// gives up what it no longer needs, and then runs one step after the other.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cells"
)

func main() {
	// What is given up is the thread's, so all is done by this one: its children inherit from it.
	runtime.LockOSThread()
	if err := run(&link{socket: cells.Socket}, os.Args[1:]); err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "cell:", err)
		os.Exit(1)
	}
}

func run(agent *link, hidden []string) error {
	unix.CloseOnExec(agent.socket)
	proc, err := furnish(hidden)
	if err != nil {
		return agent.send(cells.Failure(cells.Failed, err))
	}
	if err := agent.send(cells.Message{Kind: cells.Ready}); err != nil {
		return err
	}
	request, err := agent.receive()
	if err != nil {
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
	return newRunner(agent, proc).serve()
}
