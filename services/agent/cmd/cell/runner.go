package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cells"
	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/spawn"
)

const (
	userID  = 1000
	groupID = 1000

	forkRetries = 200
	forkPause   = 10 * time.Millisecond
)

// runner runs one step after the other.
type runner struct {
	agent *link
	proc  int
	// ended tells that all was ended at the agent's signal.
	ended chan struct{}
}

func newRunner(agent *link, proc int) *runner {
	r := &runner{agent: agent, proc: proc, ended: make(chan struct{}, 1)}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, cells.EndAll)
	go func() {
		for range signals {
			_ = unix.Kill(-1, unix.SIGKILL)
			r.ended <- struct{}{}
		}
	}()
	return r
}

func (r *runner) serve() error {
	for {
		request, err := r.agent.receive()
		if err != nil {
			return err
		}
		switch request.Kind {
		case cells.RunStep:
			err = r.run(request)
		case cells.Sweep:
			if request.Numbers[0] == 1 {
				<-r.ended
			}
			sweep()
			err = r.agent.send(cells.Message{Kind: cells.Swept})
		default:
			err = request.Unexpected()
		}
		if err != nil {
			return err
		}
	}
}

func (r *runner) run(request cells.Message) error {
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
		return r.agent.send(cells.Failure(cells.Refused, err))
	}
	if err := r.agent.send(cells.Message{Kind: cells.Started, Numbers: []int64{int64(pid)}}); err != nil {
		return err
	}
	return r.agent.send(await(pid).Message())
}

func (r *runner) start(step cells.Step, files []int) (pid int, err error) {
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
			await(child.Pid)
		}
		return 0, fmt.Errorf("%s: %w", programs.Printable(step.Command[0]), err)
	}
}

// find looks for a program with the rights of its user.
func find(step cells.Step) (string, error) {
	path := ""
	for _, variable := range step.Environment {
		if value, found := strings.CutPrefix(variable, "PATH="); found {
			path = value
		}
	}
	defer actAs(userID, groupID)()
	return programs.Find(step.Command[0], step.Directory, path)
}

// actAs makes this thread somebody else for files.
func actAs(user, group uintptr) (restore func()) {
	set := func(user, group uintptr) {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, group, 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, user, 0, 0)
	}
	set(user, group)
	return func() { set(0, 0) }
}

// await reaps everything until a process has ended, and tells whether that was the last one.
func await(pid int) (end cells.End) {
	for {
		var status unix.WaitStatus
		var usage unix.Rusage
		ended, err := unix.Wait4(-1, &status, 0, &usage)
		if err == unix.ECHILD {
			return end
		}
		if ended != pid {
			continue
		}
		end = cells.End{Status: status, CPU: usage.Utime.Nano() + usage.Stime.Nano(), PeakBytes: usage.Maxrss << 10}
		end.Alone = reapEnded()
		return end
	}
}

// reapEnded reaps what has ended already, and says whether nothing is left.
func reapEnded() bool {
	for {
		ended, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.ECHILD {
			return true
		}
		if ended == 0 && err == nil {
			return false
		}
	}
}

// sweep ends everything beside this process: one signal to all is atomic, so that no fork escapes it.
func sweep() {
	for {
		_ = unix.Kill(-1, unix.SIGKILL)
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); err == unix.ECHILD {
				return
			} else if err != nil {
				break
			}
		}
	}
}
