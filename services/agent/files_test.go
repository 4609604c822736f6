package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

func (s *sandbox) write(path string, mode uint32, pieces ...string) (*pb.FileInfo, error) {
	stream, err := s.files.Write(s.context(20 * time.Second))
	must(s.t, err)
	if err := stream.Send(&pb.WriteRequest{Path: path, Mode: mode}); err != nil {
		_, err = stream.CloseAndRecv()
		return nil, err
	}
	for _, piece := range pieces {
		if stream.Send(&pb.WriteRequest{Data: []byte(piece)}) != nil {
			break
		}
	}
	// Where it fails, the answer says why.
	_ = stream.Send(&pb.WriteRequest{Complete: true})
	response, err := stream.CloseAndRecv()
	return response.GetFile(), err
}

func (s *sandbox) read(request *pb.ReadRequest) (string, error) {
	stream, err := s.files.Read(s.context(20*time.Second), request)
	must(s.t, err)
	var content strings.Builder
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return content.String(), nil
		}
		if err != nil {
			return content.String(), err
		}
		content.Write(response.Data)
	}
}

func (s *sandbox) list(path string) string {
	response, err := s.files.ListDirectory(s.context(time.Second), &pb.ListDirectoryRequest{Path: path})
	must(s.t, err)
	names := []string{}
	for _, file := range response.Files {
		names = append(names, file.Name)
	}
	return strings.Join(names, " ")
}

func TestFilesGoThereAndBack(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	piece := strings.Repeat("0123456789abcdef", 1<<15)
	info, err := s.write("deep/er/file", 0o750, piece, piece, piece)
	must(t, err)
	if info.Path != "/home/user/deep/er/file" || info.SizeBytes != 3<<19 || info.Mode != 0o750 || info.Type != pb.FileType_FILE_TYPE_FILE {
		t.Errorf("%v", info)
	}
	whole, err := s.read(&pb.ReadRequest{Path: "deep/er/file"})
	must(t, err)
	part, err := s.read(&pb.ReadRequest{Path: "/home/user/deep/er/file", OffsetBytes: 10, LengthBytes: 10})
	must(t, err)
	if whole != piece+piece+piece || part != "abcdef0123" {
		t.Errorf("%d bytes, %q", len(whole), part)
	}
	if owner := s.mustRun("stat", "-c", "%u:%g:%a", "deep/er", "deep/er/file").stdout; owner != "1000:1000:755\n1000:1000:750\n" {
		t.Errorf("%q", owner)
	}
	// Written again without a mode, it keeps the one that it has.
	info, err = s.write("deep/er/file", 0, "short")
	must(t, err)
	if info.Mode != 0o750 || info.SizeBytes != 5 || s.list("deep/er") != "file" {
		t.Errorf("%v in %s", info, s.list("deep/er"))
	}
	moved, err := s.files.Move(s.context(time.Second), &pb.MoveRequest{Path: "deep/er/file", Destination: "other/name"})
	must(t, err)
	if moved.File.Path != "/home/user/other/name" || s.list("deep/er") != "" {
		t.Errorf("%v", moved)
	}
}

func TestUploadThatStopsLeavesNothing(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	ctx, cancel := context.WithCancel(s.context(10 * time.Second))
	stream, err := s.files.Write(ctx)
	must(t, err)
	must(t, stream.Send(&pb.WriteRequest{Path: "half/file", Data: []byte("half")}))
	s.eventually("it has begun", func() bool {
		_, err := s.files.Stat(s.context(time.Second), &pb.StatRequest{Path: "half"})
		return err == nil && s.list("half") != ""
	})
	cancel()
	s.eventually("nothing is left", func() bool { return s.list("half") == "" })
	stream, err = s.files.Write(s.context(10 * time.Second))
	must(t, err)
	must(t, stream.Send(&pb.WriteRequest{Path: "half/file", Data: []byte("half")}))
	if _, err := stream.CloseAndRecv(); status.Code(err) != codes.Canceled || s.list("half") != "" {
		t.Errorf("an upload that never said that it is complete: %v", err)
	}
	full := strings.Repeat("x", 1<<20)
	pieces := make([]string, 100)
	for i := range pieces {
		pieces[i] = full
	}
	if _, err := s.write("half/too-large", 0, pieces...); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a full disk: %v", err)
	}
	if left := s.list("half"); left != "" {
		t.Errorf("left: %s", left)
	}
	s.works()
}

func TestFilesWithTheUsersRightsOnly(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	s.mustRun("sh", "-c", "mkfifo pipe; ln -s /etc/shadow stolen; ln -s /etc link; mkdir dir; touch dir/file; ln -s loop loop; mkdir sealed; touch sealed/x; chmod 0 sealed; ln -s /proc/1/root/etc/shadow magic")
	for _, test := range []struct {
		path string
		code codes.Code
	}{
		{"/etc/shadow", codes.PermissionDenied}, {"stolen", codes.PermissionDenied}, {"magic", codes.FailedPrecondition}, {"/no/such", codes.NotFound},
		{"pipe", codes.FailedPrecondition}, {"/dev/null", codes.FailedPrecondition}, {"dir", codes.FailedPrecondition},
		{"dir/file/x", codes.FailedPrecondition}, {"loop", codes.FailedPrecondition}, {"sealed/x", codes.PermissionDenied},
		{"/proc/self/environ", codes.PermissionDenied}, {"/proc/self/mem", codes.PermissionDenied},
		{"/proc/self/root/etc/passwd", codes.FailedPrecondition}, {"nul\x00", codes.InvalidArgument}, {strings.Repeat("x", 300), codes.InvalidArgument},
	} {
		if _, err := s.read(&pb.ReadRequest{Path: test.path}); status.Code(err) != test.code {
			t.Errorf("read %.20s: %v", test.path, err)
		}
	}
	for path, code := range map[string]codes.Code{
		"/etc/new": codes.PermissionDenied, "link/new": codes.PermissionDenied, "dir": codes.FailedPrecondition,
		"dir/file/x": codes.FailedPrecondition, "sealed/y": codes.PermissionDenied, "/": codes.FailedPrecondition,
		"/proc/sys/kernel/new": codes.NotFound,
	} {
		if _, err := s.write(path, 0, "x"); status.Code(err) != code {
			t.Errorf("write %s: %v", path, err)
		}
	}
	ctx := s.context(5 * time.Second)
	info, err := s.files.Stat(ctx, &pb.StatRequest{Path: "stolen"})
	must(t, err)
	if info.File.Type != pb.FileType_FILE_TYPE_SYMLINK || info.File.LinkTarget != "/etc/shadow" {
		t.Errorf("%v", info)
	}
	if info, err = s.files.Stat(ctx, &pb.StatRequest{Path: "pipe"}); err != nil || info.File.Type != pb.FileType_FILE_TYPE_OTHER {
		t.Errorf("%v %v", info, err)
	}
	if _, err = s.files.MakeDirectory(ctx, &pb.MakeDirectoryRequest{Path: "dir/file/x"}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a directory below a file: %v", err)
	}
	if _, err = s.files.Move(ctx, &pb.MoveRequest{Path: "dir", Destination: "dir/file"}); status.Code(err) == codes.OK {
		t.Errorf("a directory into itself")
	}
}

func TestRemoveDoesNotFollowLinks(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	s.mustRun("sh", "-c", "mkdir -p keep tree/a/b; touch keep/file tree/a/b/c; ln -s ../../keep tree/a/link; ln -s keep link")
	ctx := s.context(10 * time.Second)
	if _, err := s.files.Remove(ctx, &pb.RemoveRequest{Path: "tree"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("not empty: %v", err)
	}
	for _, path := range []string{"tree", "link"} {
		_, err := s.files.Remove(ctx, &pb.RemoveRequest{Path: path, Recursive: true})
		must(t, err)
	}
	if s.list("") != "keep" || s.list("keep") != "file" {
		t.Errorf("left: %s; %s", s.list(""), s.list("keep"))
	}
	if _, err := s.files.Remove(ctx, &pb.RemoveRequest{Path: "tree", Recursive: true}); status.Code(err) != codes.NotFound {
		t.Errorf("gone already: %v", err)
	}
	deep := "import os\nfor i in range(3000):\n  os.mkdir('d'); os.chdir('d')"
	s.mustRun("python3", "-c", deep)
	_, err := s.files.Remove(ctx, &pb.RemoveRequest{Path: "d", Recursive: true})
	t.Logf("a tree 3000 deep: %v", err)
	s.works()
}

func TestListingIsPagedWhateverTheNames(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	s.mustRun("python3", "-c", `
import os
os.mkdir('many'); os.chdir('many')
for i in range(2500): open(f'{i:05}', 'w').close()
open(b'\xff\xfe', 'w').close(); open(b'zz\xff', 'w').close()`)
	ctx := s.context(20 * time.Second)
	count, after := 0, ""
	for page := 0; ; page++ {
		response, err := s.files.ListDirectory(ctx, &pb.ListDirectoryRequest{Path: "many", After: after, Limit: 700})
		must(t, err)
		for _, file := range response.Files {
			if file.Name <= after {
				t.Fatalf("%q after %q", file.Name, after)
			}
			after = file.Name
			count++
		}
		if !response.More {
			break
		}
		if page > 10 {
			t.Fatal("no end")
		}
	}
	if count != 2502 {
		t.Errorf("%d names", count)
	}
}

func TestWatch(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	ctx, cancel := context.WithCancel(s.context(20 * time.Second))
	stream, err := s.files.Watch(ctx, &pb.WatchRequest{Path: ".", Recursive: true})
	must(t, err)
	_, err = stream.Header()
	must(t, err)
	s.mustRun("sh", "-c", "mkdir -p sub/deep; echo x > sub/deep/file; rm sub/deep/file; echo > last")
	seen := ""
	for !strings.Contains(seen, "CREATED /home/user/last") {
		event, err := stream.Recv()
		must(t, err)
		seen += fmt.Sprintf("%s %s\n", strings.TrimPrefix(event.Kind.String(), "KIND_"), event.Path)
	}
	if !strings.Contains(seen, "CREATED /home/user/sub\n") || !strings.Contains(seen, "CREATED /home/user/sub/deep\n") {
		t.Error(seen)
	}
	// Nobody reads for a while: the kernel's queue runs over, and that is told.
	s.mustRun("python3", "-c", "import os\nfor i in range(40000):\n  n = f'sub/f{i % 50}'; open(n, 'w').close(); os.unlink(n)")
	for {
		event, err := stream.Recv()
		must(t, err)
		if event.Kind == pb.WatchResponse_KIND_OVERFLOW {
			break
		}
	}
	cancel()
	if stream, err := s.files.Watch(s.context(time.Second), &pb.WatchRequest{Path: "/no/such"}); err == nil {
		if _, err = stream.Recv(); status.Code(err) != codes.NotFound {
			t.Errorf("nothing there: %v", err)
		}
	}
}

func TestTunnel(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	for family, address := range map[string]string{"AF_INET": "127.0.0.1", "AF_INET6": "::1"} {
		server := fmt.Sprintf(`
import socket
s = socket.socket(socket.%s); s.bind((%q, 0)); s.listen()
print("port", s.getsockname()[1], "ready", flush=True)
c, _ = s.accept(); data = b""
while True:
    more = c.recv(65536)
    if not more: break
    data += more
c.sendall(data[::-1]); c.close()
import time; time.sleep(100)`, family, address)
		var port uint32
		id := newID()
		stream, err := s.process.Start(s.context(20*time.Second), &pb.StartRequest{ProcessId: id, Command: []string{"python3", "-c", server}})
		must(t, err)
		for port == 0 {
			response, err := stream.Recv()
			must(t, err)
			_, _ = fmt.Sscanf(string(response.GetStdout().GetData()), "port %d", &port)
			if response.GetExited() != nil {
				t.Skipf("no %s here", family)
			}
		}
		tunnel, err := s.tunnel.Open(s.context(10 * time.Second))
		must(t, err)
		must(t, tunnel.Send(&pb.OpenRequest{Port: port, Data: []byte("abc")}))
		must(t, tunnel.Send(&pb.OpenRequest{Data: []byte("def")}))
		must(t, tunnel.CloseSend())
		answer := ""
		for {
			response, err := tunnel.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			answer += string(response.Data)
		}
		if answer != "fedcba" {
			t.Errorf("%q", answer)
		}
	}
	tunnel, err := s.tunnel.Open(s.context(10 * time.Second))
	must(t, err)
	must(t, tunnel.Send(&pb.OpenRequest{Port: 1}))
	if _, err := tunnel.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
}
