// Command raw-exec measures fork and exec alone: the floor for a sandbox's commands.
//
//	raw-exec [-user UID] [-callers NUMBER] ROOT ITERATIONS COMMAND [ARGUMENT...]
//
// It runs the command in the root directory, by default as uid 1000, by so many callers at once, and prints one line per run:
// nanoseconds from the start to the exit.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type options struct {
	user    uint32
	root    string
	command []string
}

func main() {
	user := flag.Uint("user", 1000, "uid and gid of the command")
	callers := flag.Int("callers", 1, "runs at once")
	flag.Parse()
	if flag.NArg() < 3 {
		fmt.Fprintln(os.Stderr, "usage: raw-exec [-user UID] [-callers NUMBER] ROOT ITERATIONS COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	iterations, err := strconv.Atoi(flag.Arg(1))
	if err != nil {
		fmt.Fprintln(os.Stderr, "raw-exec: ITERATIONS:", err)
		os.Exit(2)
	}
	run := options{user: uint32(*user), root: flag.Arg(0), command: flag.Args()[2:]}
	if err := runAll(run, iterations, *callers); err != nil {
		fmt.Fprintln(os.Stderr, "raw-exec:", err)
		os.Exit(1)
	}
}

func runAll(run options, iterations, callers int) error {
	times := make([]time.Duration, iterations)
	failures := make(chan error, callers)
	var next atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for at := next.Add(1) - 1; at < int64(iterations); at = next.Add(1) - 1 {
				elapsed, err := runOnce(run)
				if err != nil {
					failures <- err
					return
				}
				times[at] = elapsed
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	for _, elapsed := range times {
		fmt.Println(elapsed.Nanoseconds())
	}
	return nil
}

func runOnce(run options) (time.Duration, error) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	started := time.Now()
	process, err := os.StartProcess(run.command[0], run.command, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/bin:/bin"},
		Files: []*os.File{null, null, null},
		Sys: &syscall.SysProcAttr{
			Chroot:     run.root,
			Credential: &syscall.Credential{Uid: run.user, Gid: run.user},
			Setsid:     true,
		},
	})
	if err != nil {
		return 0, err
	}
	state, err := process.Wait()
	if err != nil {
		return 0, err
	}
	if !state.Success() {
		return 0, fmt.Errorf("%v: %v", run.command, state)
	}
	return time.Since(started), nil
}
