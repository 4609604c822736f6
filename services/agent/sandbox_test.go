package main

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
	"google.golang.org/grpc/credentials/insecure"

	pb "drydock.dev/agent/internal/agentv1"
)

// The test program is also the agent: it starts itself as the first process of new namespaces, with the capabilities
// that a sandbox has, and talks to itself over the socket that the agent dials.
const (
	stageVariable  = "DRYDOCK_TEST_STAGE"
	modeVariable   = "DRYDOCK_TEST_MODE"
	userVariable   = "DRYDOCK_TEST_USER"
	socketVariable = "DRYDOCK_TEST_SOCKET"
)

func TestMain(m *testing.M) {
	switch os.Getenv(stageVariable) {
	case "confine":
		fmt.Fprintln(os.Stderr, "confine:", confine())
		os.Exit(1)
	case "agent":
		mode, socket := os.Getenv(modeVariable), os.Getenv(socketVariable)
		for _, name := range []string{stageVariable, modeVariable, userVariable, socketVariable} {
			_ = os.Unsetenv(name)
		}
		fmt.Fprintln(os.Stderr, "agent:", run([]string{mode, socket}))
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
		os.Mkdir(homeDir, 0o755),
		os.Chown(homeDir, userID, groupID),
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
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(groupID), syscall.Setuid(userID)); err != nil {
			return err
		}
	}
	_ = os.Setenv(stageVariable, "agent")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, []string{"drydock-agent"}, os.Environ())
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

type sandboxOptions struct {
	listen    bool
	sameUser  bool
	cells     bool
	processes int
	memory    int64
}

type sandbox struct {
	t       testing.TB
	pid     int
	user    int
	binary  string
	socket  string
	dials   atomic.Int32
	mutex   sync.Mutex
	link    net.Conn
	control pb.ControlServiceClient
	process pb.ProcessServiceClient
	files   pb.FilesystemServiceClient
	cells   pb.CellServiceClient
	tunnel  pb.TunnelServiceClient
}

var sandboxNumber atomic.Int32

// newSandbox starts an agent as the first process of its own namespaces and connects to it.
func newSandbox(t testing.TB, options sandboxOptions) *sandbox {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
	directory, err := os.MkdirTemp("", "drydock-agent-test")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	must(t, os.Chmod(directory, 0o755))
	s := &sandbox{t: t, socket: filepath.Join(directory, "agent.sock")}
	mode := "serve"
	if options.sameUser {
		s.user = userID
		must(t, os.Chmod(directory, 0o777))
	}
	// Where another user can reach it.
	s.binary = filepath.Join(directory, "drydock-agent")
	must(t, link("/proc/self/exe", s.binary))
	if options.cells {
		must(t, os.Link(cellBinary(t), filepath.Join(directory, "cell")))
	}
	connections := make(chan net.Conn, 8)
	if options.listen {
		mode, s.socket = "listen", "@drydock-test"
	} else {
		listener, err := net.Listen("unix", s.socket)
		must(t, err)
		must(t, os.Chmod(s.socket, 0o777))
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
	if options.listen {
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
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	s.control, s.process = pb.NewControlServiceClient(client), pb.NewProcessServiceClient(client)
	s.files, s.tunnel = pb.NewFilesystemServiceClient(client), pb.NewTunnelServiceClient(client)
	s.cells = pb.NewCellServiceClient(client)
	_, err = s.control.Ping(s.context(10*time.Second), &pb.PingRequest{})
	must(t, err)
	return s
}

func (s *sandbox) accept(listener net.Listener, to chan<- net.Conn) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		s.dials.Add(1)
		to <- connection
	}
}

func (s *sandbox) launch(mode string, options sandboxOptions) {
	t := s.t
	if image != "" {
		s.launchContainer(options)
		return
	}
	gateEnd, gate, err := os.Pipe()
	must(t, err)
	command := exec.Command(s.binary)
	command.Env = append(os.Environ(), stageVariable+"=confine", modeVariable+"="+mode, socketVariable+"="+s.socket,
		userVariable+"="+strconv.Itoa(s.user))
	command.ExtraFiles = []*os.File{gateEnd}
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL,
	}
	// The parent's death signal is for the thread that started it.
	runtime.LockOSThread()
	must(t, command.Start())
	_ = gateEnd.Close()
	s.pid = command.Process.Pid
	s.limit(options)
	_ = gate.Close()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		runtime.UnlockOSThread()
	})
}

// limit puts the agent into cgroups of its own, of version 1 or 2.
func (s *sandbox) limit(options sandboxOptions) {
	name := fmt.Sprintf("drydock-agent-test-%d-%d", os.Getpid(), sandboxNumber.Add(1))
	write := func(controller, file, value string) {
		directory := filepath.Join("/sys/fs/cgroup", controller, name)
		if os.MkdirAll(directory, 0o755) == nil {
			s.t.Cleanup(func() { _ = os.Remove(directory) })
		}
		if err := os.WriteFile(filepath.Join(directory, file), []byte(value), 0); err != nil {
			s.t.Skipf("cannot use cgroups: %v", err)
		}
	}
	pid := strconv.Itoa(s.pid)
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		write("", "cgroup.procs", pid)
		if options.processes > 0 {
			write("", "pids.max", strconv.Itoa(options.processes))
		}
		if options.memory > 0 {
			write("", "memory.max", strconv.FormatInt(options.memory, 10))
		}
		return
	}
	write("cpuacct", "cgroup.procs", pid)
	write("memory", "cgroup.procs", pid)
	write("pids", "cgroup.procs", pid)
	if options.processes > 0 {
		write("pids", "pids.max", strconv.Itoa(options.processes))
	}
	if options.memory > 0 {
		write("memory", "memory.limit_in_bytes", strconv.FormatInt(options.memory, 10))
	}
}

// connectInside runs `connect` in the sandbox, as an engine's exec does, and gives its standard streams.
func (s *sandbox) connectInside(context.Context) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	user := strconv.Itoa(s.user)
	command := exec.Command("nsenter", "-t", strconv.Itoa(s.pid), "-p", "-n", "-S", user, "-G", user, "--", s.binary)
	command.Env = append(os.Environ(), stageVariable+"=agent", modeVariable+"=connect", socketVariable+"="+s.socket)
	command.Stdin, command.Stdout, command.Stderr = theirs, theirs, os.Stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	_ = theirs.Close()
	s.t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
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

// dropLink closes the connection, as an executor's end does.
func (s *sandbox) dropLink() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_ = s.link.Close()
}

func (s *sandbox) context(timeout time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	s.t.Cleanup(cancel)
	return ctx
}

// result is what a process did.
type result struct {
	stdout, stderr string
	exited         *pb.Exited
	took           time.Duration
}

var processNumber atomic.Int32

func newID() string { return fmt.Sprintf("prc_%d", processNumber.Add(1)) }

// run starts a process and reads it to its end. Every offset must continue the one before.
func (s *sandbox) run(request *pb.StartRequest) (result, error) {
	if request.ProcessId == "" {
		request.ProcessId = newID()
	}
	started := time.Now()
	stream, err := s.process.Start(s.context(30*time.Second), request)
	if err != nil {
		return result{}, err
	}
	var r result
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
			if event.Stdout.Offset != int64(len(r.stdout)) {
				return r, fmt.Errorf("stdout offset %d after %d bytes", event.Stdout.Offset, len(r.stdout))
			}
			r.stdout += string(event.Stdout.Data)
		case *pb.StartResponse_Stderr:
			r.stderr += string(event.Stderr.Data)
		case *pb.StartResponse_Exited:
			r.exited, r.took = event.Exited, time.Since(started)
		}
	}
}

func (s *sandbox) mustRun(command ...string) result {
	s.t.Helper()
	r, err := s.run(&pb.StartRequest{Command: command})
	must(s.t, err)
	return r
}

// works checks what every hostile test ends with.
func (s *sandbox) works() {
	s.t.Helper()
	r, err := s.run(&pb.StartRequest{Command: []string{"echo", "works"}})
	must(s.t, err)
	if r.stdout != "works\n" || r.exited.GetExitCode() != 0 {
		s.t.Fatalf("the next command: %+v %v", r, r.exited)
	}
}

// start begins a process and waits until it says "ready".
func (s *sandbox) start(request *pb.StartRequest) (id string, cancel func()) {
	s.t.Helper()
	if request.ProcessId == "" {
		request.ProcessId = newID()
	}
	ctx, cancel := context.WithCancel(s.context(60 * time.Second))
	stream, err := s.process.Start(ctx, request)
	must(s.t, err)
	var seen strings.Builder
	for !strings.Contains(seen.String(), "ready") {
		response, err := stream.Recv()
		must(s.t, err)
		if exited := response.GetExited(); exited != nil {
			s.t.Fatalf("ended early: %v", exited)
		}
		seen.Write(response.GetStdout().GetData())
	}
	return request.ProcessId, cancel
}

// processes counts what runs inside beside the agent, by a look from outside at the namespace's own /proc.
func (s *sandbox) processes() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/proc", s.pid))
	must(s.t, err)
	count := -1
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err == nil {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/root/proc/%s/stat", s.pid, entry.Name()))
			if !strings.Contains(string(status), ") Z ") {
				count++
			}
		}
	}
	return count
}

func (s *sandbox) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not so: %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
