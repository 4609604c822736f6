// Command gvisor is the runtime runsc and its shim for containerd, in a single static binary. A link with the shim's name
// runs that.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/shim"
	"gvisor.dev/gvisor/runsc/cli/maincli"
	shimcli "gvisor.dev/gvisor/shim/v1/cli"
)

const shimName = "containerd-shim-runsc-v1"

func main() {
	if filepath.Base(os.Args[0]) != shimName {
		maincli.Main()
		return
	}
	if os.Args[len(os.Args)-1] != "start" {
		shimcli.Main()
		return
	}
	if err := start(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// start leaves a shim running for one container, and prints where it listens. The library's own gives it a score that takes
// CAP_SYS_RESOURCE, and prints what only containerd 2 reads.
func start(arguments []string) error {
	flags := flag.NewFlagSet(shimName, flag.ContinueOnError)
	namespace := flags.String("namespace", "", "of the container")
	containerd := flags.String("address", "", "containerd's socket")
	id := flags.String("id", "", "of the container")
	_ = flags.String("publish-binary", "", "how older ones told of events")
	debug := flags.Bool("debug", false, "says more")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ctx := namespaces.WithNamespace(context.Background(), *namespace)
	address, err := shim.SocketAddress(ctx, *containerd, *id, *debug)
	if err != nil {
		return err
	}
	listener, err := shim.NewSocket(address)
	if err != nil {
		return err
	}
	socket, err := listener.File()
	if err != nil {
		return err
	}
	serve := exec.Command("/proc/self/exe", "-namespace", *namespace, "-address", *containerd, "-id", *id)
	serve.Args[0] = shimName
	if *debug {
		serve.Args = append(serve.Args, "-debug")
	}
	serve.Env = append(os.Environ(), "GOMAXPROCS=2")
	serve.ExtraFiles = []*os.File{socket}
	serve.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := os.WriteFile("address", []byte(address), 0o644); err != nil {
		return err
	}
	if err := serve.Start(); err != nil {
		return err
	}
	if err := shim.WritePidFile("shim.pid", serve.Process.Pid); err != nil {
		_ = serve.Process.Kill()
		return err
	}
	_, err = fmt.Print(address)
	return err
}
