package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cell/wire"
	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/spawn"
)

const (
	userID  = 1000
	groupID = 1000

	forkRetries = 200
	forkPause   = 10 * time.Millisecond

	// How long an orphan that has ended may count as a process.
	orphanPauseFirst = time.Millisecond
	orphanPauseLast  = 32 * time.Millisecond
)

// runner runs one step after the other.
type runner struct {
	agent *link
	proc  int
}

func (r runner) serve() error {
	for {
		waitFor(pollForever, r.agent.socket)
		request, err := r.agent.receive()
		if err != nil {
			return err
		}
		switch request.Kind {
		case wire.RunStep:
			err = r.run(request)
		case wire.EndAll:
			killAll()
		case wire.Interrupt:
			// It came too late for its step.
		case wire.Sweep:
			sweep()
			err = r.agent.send(wire.Message{Kind: wire.Swept})
		default:
			err = request.Unexpected()
		}
		if err != nil {
			return err
		}
	}
}

func (r runner) run(request wire.Message) error {
	files := r.agent.files
	step, err := request.Step()
	pid := 0
	if err == nil {
		pid, err = r.start(step, files)
	}
	for _, file := range files {
		_ = unix.Close(file)
	}
	if err != nil {
		return r.agent.send(wire.Failure(wire.Refused, err))
	}
	if err := r.agent.send(wire.Message{Kind: wire.Started, Numbers: []int64{int64(pid)}}); err != nil {
		return err
	}
	end, err := r.await(pid)
	if err != nil {
		return err
	}
	return r.agent.send(end.Message())
}

// await waits for the end of a step, and ends it with all that it started if the agent asks. Orphans are reaped meanwhile.
func (r runner) await(pid int) (wire.End, error) {
	ended, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return wire.End{}, err
	}
	defer unix.Close(ended)
	for pause := orphanPauseFirst; ; pause = min(2*pause, orphanPauseLast) {
		asked := waitFor(pause, r.agent.socket, ended)
		end, over, reaped := reap(pid)
		if over {
			return end, nil
		}
		if reaped {
			pause = orphanPauseFirst
		}
		if !asked {
			continue
		}
		request, err := r.agent.receive()
		if err != nil {
			return end, err
		}
		switch request.Kind {
		case wire.EndAll:
			killAll()
		case wire.Interrupt:
			interrupt(pid, request.Numbers)
		default:
			return end, request.Unexpected()
		}
	}
}

// interrupt sends a signal to a step's process, which has not been waited for yet.
func interrupt(pid int, numbers []int64) {
	if len(numbers) == 1 {
		_, _, _ = unix.RawSyscall(unix.SYS_KILL, uintptr(pid), uintptr(numbers[0]), 0)
	}
}

func (r runner) start(step wire.Step, files []int) (pid int, err error) {
	if len(files) != mostFiles {
		return 0, errors.New("no standard streams")
	}
	file, err := find(step)
	if err != nil {
		return 0, err
	}
	attributes := spawn.Attributes{
		Directory: step.Directory, Environment: step.Environment, Limits: step.Limits, Proc: r.proc,
		Files:      []uintptr{uintptr(files[0]), uintptr(files[1]), uintptr(files[2])},
		Credential: &spawn.Credential{User: userID, Group: groupID}, Score: spawn.FirstChoice,
		TimerSlack: spawn.UsualTimerSlack,
		// Nothing runs between steps.
		Share: true,
	}
	for tries := 0; ; tries++ {
		child, err := spawn.Start(file, step.Command, &attributes)
		if errors.Is(err, unix.EAGAIN) && tries < forkRetries {
			time.Sleep(forkPause)
			continue
		}
		if err == nil {
			if err = child.Wait(); err == nil {
				return child.Pid, nil
			}
			wait4(child.Pid, nil, 0, nil)
		}
		return 0, fmt.Errorf("%s: %w", programs.Printable(step.Command[0]), err)
	}
}

// find looks for a program with the rights of its user.
func find(step wire.Step) (string, error) {
	path := ""
	for _, variable := range step.Environment {
		if value, found := strings.CutPrefix(variable, "PATH="); found {
			path = value
		}
	}
	defer actAs(userID, groupID)()
	return programs.Find(step.Command[0], step.Directory, path)
}

// actAs gives this thread another identity for access to files.
func actAs(user, group uintptr) (restore func()) {
	set := func(user, group uintptr) {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, group, 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, user, 0, 0)
	}
	set(user, group)
	return func() { set(0, 0) }
}
