package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"drydock.dev/agent/internal/agent"
	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/user"
)

const (
	stageVariable  = "DRYDOCK_TEST_STAGE"
	modeVariable   = "DRYDOCK_TEST_MODE"
	userVariable   = "DRYDOCK_TEST_USER"
	podVariable    = "DRYDOCK_TEST_POD"
	socketVariable = "DRYDOCK_TEST_SOCKET"
)

// UserID is the user of programs outside cells, and OwnerID that of what the agent makes for them.
const (
	UserID  = 71001
	OwnerID = 71002
)

// Main is the TestMain of a package that makes sandboxes.
func Main(m *testing.M) {
	switch os.Getenv(stageVariable) {
	case "confine":
		fmt.Fprintln(os.Stderr, "confine:", confine())
		os.Exit(1)
	case "agent":
		mode, socket := os.Getenv(modeVariable), os.Getenv(socketVariable)
		for _, name := range []string{stageVariable, modeVariable, userVariable, podVariable, socketVariable} {
			_ = os.Unsetenv(name)
		}
		arguments := []string{mode, socket}
		if mode != "connect" {
			arguments = append(arguments, strconv.Itoa(UserID), strconv.Itoa(OwnerID))
		}
		fmt.Fprintln(os.Stderr, "agent:", agent.Run(arguments))
		os.Exit(1)
	}
	code := m.Run()
	if path, err := buildCell(); err == nil {
		_ = os.Remove(path)
	}
	os.Exit(code)
}

// confine makes the sandbox around the process that it then becomes.
func confine() error {
	// The other end is closed once this process is in its cgroup.
	_, _ = io.ReadAll(os.NewFile(3, "gate"))
	_ = unix.Close(3)
	steps := []error{
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		unix.Mount("tmpfs", "/home", "tmpfs", 0, "size=64m"),
		makeHome(),
		loopbackUp(),
	}
	if err := errors.Join(steps...); err != nil {
		return err
	}
	for capability := range uintptr(unix.CAP_LAST_CAP + 1) {
		switch capability {
		case unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL:
		default:
			_ = unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		}
	}
	if os.Getenv(userVariable) != "0" {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(UserID), syscall.Setuid(UserID)); err != nil {
			return err
		}
	}
	_ = os.Setenv(stageVariable, "agent")
	// Its file may be behind a mount.
	return syscall.Exec("/proc/self/exe", []string{"drydock-agent"}, os.Environ())
}

func makeHome() error {
	if os.Getenv(podVariable) == "" {
		return errors.Join(os.Mkdir(user.Home, 0o755), os.Chown(user.Home, UserID, UserID))
	}
	failures := []error{os.Mkdir(user.Home, 0), os.Chmod(user.Home, 0o777)}
	for _, directory := range []string{"/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", "/run/lock"} {
		// Not every machine has all.
		if err := unix.Mount("tmpfs", directory, "tmpfs", 0, "mode=1777"); err != unix.ENOENT {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, _ := unix.NewIfreq("lo")
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// windowBytes is how much of a stream the executor lets come before it takes any.
const windowBytes = 256 << 10

// Options of a sandbox.
type Options struct {
	// Listen makes the agent listen, as behind an exec stream, instead of dialling.
	Listen bool
	// SameUser makes the agent run as the user of programs.
	SameUser bool
	// Pod gives it what all may write to as a pod has it: file systems of its own, also for the home, which is root's. Use it with
	// Listen.
	Pod bool
	// Cells puts the program of a cell's first process beside the agent.
	Cells bool
	// Processes and Memory in bytes are limits; 0 is none.
	Processes int
	Memory    int64
}

// Sandbox is an agent in a sandbox, and a client of it.
type Sandbox struct {
	T testing.TB
	// PID of the agent, as seen by the test.
	PID     int
	Socket  string
	Control pb.ControlServiceClient
	Process pb.ProcessServiceClient
	Files   pb.FilesystemServiceClient
	Cells   pb.CellServiceClient
	Tunnel  pb.TunnelServiceClient

	user   int
	binary string
	client *grpc.ClientConn
	mutex  sync.Mutex
	link   net.Conn
}

var sandboxNumber atomic.Int32

// New starts an agent as the first process of its own namespaces and connects to it.
func New(t testing.TB, options Options) *Sandbox {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
	directory, err := os.MkdirTemp("", "drydock-agent-test")
	Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	Must(t, os.Chmod(directory, 0o755))
	s := &Sandbox{T: t, Socket: filepath.Join(directory, "agent.sock")}
	mode := "serve"
	if options.SameUser {
		s.user = UserID
		Must(t, os.Chmod(directory, 0o777))
	}
	// Where another user can reach it.
	s.binary = filepath.Join(directory, "drydock-agent")
	Must(t, link("/proc/self/exe", s.binary))
	if options.Cells {
		Must(t, os.Link(cellBinary(t), filepath.Join(directory, "cell")))
	}
	connections := make(chan net.Conn, 8)
	if options.Listen {
		mode, s.Socket = "listen", "@drydock-test"
	} else {
		listener, err := net.Listen("unix", s.Socket)
		Must(t, err)
		Must(t, os.Chmod(s.Socket, 0o777))
		t.Cleanup(func() { _ = listener.Close() })
		go s.accept(listener, connections)
	}
	s.launch(mode, options)
	reach := func(ctx context.Context) (net.Conn, error) {
		select {
		case connection := <-connections:
			return connection, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if options.Listen {
		reach = s.connectInside
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		connection, err := reach(ctx)
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.link = connection
		return connection, err
	}
	client, err := grpc.NewClient("passthrough:agent", grpc.WithContextDialer(dial),
		// As the executor's, and fixed: by default it grows with what a busy machine makes of the link.
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	Must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	s.client = client
	s.Control, s.Process = pb.NewControlServiceClient(client), pb.NewProcessServiceClient(client)
	s.Files, s.Tunnel = pb.NewFilesystemServiceClient(client), pb.NewTunnelServiceClient(client)
	s.Cells = pb.NewCellServiceClient(client)
	_, err = s.Control.Ping(s.Context(10*time.Second), &pb.PingRequest{})
	Must(t, err)
	return s
}

func (s *Sandbox) accept(listener net.Listener, to chan<- net.Conn) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		to <- connection
	}
}

func (s *Sandbox) launch(mode string, options Options) {
	t := s.T
	if image != "" {
		s.launchContainer(options)
		return
	}
	gateEnd, gate, err := os.Pipe()
	Must(t, err)
	command := exec.Command(s.binary)
	command.Env = append(os.Environ(), stageVariable+"=confine", modeVariable+"="+mode, socketVariable+"="+s.Socket,
		userVariable+"="+strconv.Itoa(s.user))
	if options.Pod {
		command.Env = append(command.Env, podVariable+"=1")
	}
	command.ExtraFiles = []*os.File{gateEnd}
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL,
	}
	// The parent's death signal is for the thread that started it.
	runtime.LockOSThread()
	Must(t, command.Start())
	_ = gateEnd.Close()
	s.PID = command.Process.Pid
	s.limit(options)
	_ = gate.Close()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		runtime.UnlockOSThread()
	})
}

// limit puts the agent into cgroups of its own, of version 1 or 2.
func (s *Sandbox) limit(options Options) {
	name := fmt.Sprintf("drydock-agent-test-%d-%d", os.Getpid(), sandboxNumber.Add(1))
	write := func(controller, file, value string) {
		directory := filepath.Join("/sys/fs/cgroup", controller, name)
		if os.MkdirAll(directory, 0o755) == nil {
			s.T.Cleanup(func() { _ = os.Remove(directory) })
		}
		if err := os.WriteFile(filepath.Join(directory, file), []byte(value), 0); err != nil {
			s.T.Skipf("cannot use cgroups: %v", err)
		}
	}
	pid := strconv.Itoa(s.PID)
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		write("", "cgroup.procs", pid)
		if options.Processes > 0 {
			write("", "pids.max", strconv.Itoa(options.Processes))
		}
		if options.Memory > 0 {
			write("", "memory.max", strconv.FormatInt(options.Memory, 10))
		}
		return
	}
	write("cpuacct", "cgroup.procs", pid)
	write("memory", "cgroup.procs", pid)
	write("pids", "cgroup.procs", pid)
	if options.Processes > 0 {
		write("pids", "pids.max", strconv.Itoa(options.Processes))
	}
	if options.Memory > 0 {
		write("memory", "memory.limit_in_bytes", strconv.FormatInt(options.Memory, 10))
	}
}

// connectInside runs `connect` in the sandbox, as an engine's exec does, and gives its standard streams.
func (s *Sandbox) connectInside(context.Context) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	user := strconv.Itoa(s.user)
	command := exec.Command("nsenter", "-t", strconv.Itoa(s.PID), "-p", "-n", "-S", user, "-G", user, "--", s.binary)
	command.Env = append(os.Environ(), stageVariable+"=agent", modeVariable+"=connect", socketVariable+"="+s.Socket)
	command.Stdin, command.Stdout, command.Stderr = theirs, theirs, os.Stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	_ = theirs.Close()
	s.T.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	return ours, nil
}

func link(from, to string) error {
	from, err := os.Readlink(from)
	if err != nil {
		return err
	}
	return os.Link(from, to)
}

func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fds[0]), "link")
	defer file.Close()
	ours, err = net.FileConn(file)
	return ours, os.NewFile(uintptr(fds[1]), "streams"), err
}

// DropLink closes the connection, as an executor's end does, and waits until the client has noticed: a call that it began before
// would end with that connection, and not wait for the next.
func (s *Sandbox) DropLink() {
	s.T.Helper()
	s.mutex.Lock()
	err := s.link.Close()
	s.mutex.Unlock()
	Must(s.T, err)
	if !s.client.WaitForStateChange(s.Context(10*time.Second), connectivity.Ready) {
		s.T.Fatal("the client did not notice that its connection was closed")
	}
}

// Context ends after the timeout, and with the test.
func (s *Sandbox) Context(timeout time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	s.T.Cleanup(cancel)
	return ctx
}

// Result is the outcome of a process.
type Result struct {
	Stdout, Stderr string
	Exited         *pb.Exited
	Took           time.Duration
}

var processNumber atomic.Int32

// NewID is an unused id of a process.
func NewID() string { return fmt.Sprintf("prc_%d", processNumber.Add(1)) }

// Run starts a process and reads it to its end. Every offset must continue the one before.
func (s *Sandbox) Run(request *pb.StartRequest) (Result, error) {
	if request.ProcessId == "" {
		request.ProcessId = NewID()
	}
	started := time.Now()
	stream, err := s.Process.Start(s.Context(30*time.Second), request)
	if err != nil {
		return Result{}, err
	}
	var r Result
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		switch event := response.Event.(type) {
		case *pb.StartResponse_Stdout:
			if event.Stdout.Offset != int64(len(r.Stdout)) {
				return r, fmt.Errorf("stdout offset %d after %d bytes", event.Stdout.Offset, len(r.Stdout))
			}
			r.Stdout += string(event.Stdout.Data)
		case *pb.StartResponse_Stderr:
			r.Stderr += string(event.Stderr.Data)
		case *pb.StartResponse_Exited:
			r.Exited, r.Took = event.Exited, time.Since(started)
		}
	}
}

// MustRun runs a command that the agent can start.
func (s *Sandbox) MustRun(command ...string) Result {
	s.T.Helper()
	r, err := s.Run(&pb.StartRequest{Command: command})
	Must(s.T, err)
	return r
}

// Works checks that the next command works, with which every hostile test ends.
func (s *Sandbox) Works() {
	s.T.Helper()
	r, err := s.Run(&pb.StartRequest{Command: []string{"echo", "works"}})
	Must(s.T, err)
	if r.Stdout != "works\n" || r.Exited.GetExitCode() != 0 {
		s.T.Fatalf("the next command: %+v %v", r, r.Exited)
	}
}

// Start begins a process and waits until it writes "ready".
func (s *Sandbox) Start(request *pb.StartRequest) (id string, cancel func()) {
	s.T.Helper()
	if request.ProcessId == "" {
		request.ProcessId = NewID()
	}
	ctx, cancel := context.WithCancel(s.Context(60 * time.Second))
	stream, err := s.Process.Start(ctx, request)
	Must(s.T, err)
	var seen strings.Builder
	for !strings.Contains(seen.String(), "ready") {
		response, err := stream.Recv()
		Must(s.T, err)
		if exited := response.GetExited(); exited != nil {
			s.T.Fatalf("ended early: %v", exited)
		}
		seen.Write(response.GetStdout().GetData())
	}
	return request.ProcessId, cancel
}

// Processes counts the processes beside the agent, from outside in the namespace's own /proc.
func (s *Sandbox) Processes() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/proc", s.PID))
	Must(s.T, err)
	count := -1
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err == nil {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/root/proc/%s/stat", s.PID, entry.Name()))
			if !strings.Contains(string(status), ") Z ") {
				count++
			}
		}
	}
	return count
}

// Eventually waits up to 30 s until the condition holds.
func (s *Sandbox) Eventually(what string, holds func() bool) {
	s.T.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.T.Fatalf("not so: %s", what)
		}
	}
}

// Must ends the test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
