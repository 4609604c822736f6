// Command raw-exec measures fork and exec alone: the floor for a sandbox's commands.
//
//	raw-exec ROOT ITERATIONS COMMAND [ARGUMENT...]
//
// It runs the command as uid 1000 in the root directory, one run after the other, and prints one line per run: nanoseconds
// from the start to the exit.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: raw-exec ROOT ITERATIONS COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	iterations, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "raw-exec: ITERATIONS:", err)
		os.Exit(2)
	}
	for range iterations {
		elapsed, err := runOnce(os.Args[1], os.Args[3:])
		if err != nil {
			fmt.Fprintln(os.Stderr, "raw-exec:", err)
			os.Exit(1)
		}
		fmt.Println(elapsed.Nanoseconds())
	}
}

func runOnce(root string, command []string) (time.Duration, error) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	started := time.Now()
	process, err := os.StartProcess(command[0], command, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/bin:/bin"},
		Files: []*os.File{null, null, null},
		Sys: &syscall.SysProcAttr{
			Chroot:     root,
			Credential: &syscall.Credential{Uid: 1000, Gid: 1000},
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
		return 0, fmt.Errorf("%v: %v", command, state)
	}
	return time.Since(started), nil
}
