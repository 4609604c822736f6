package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func write(s *sandboxtest.Sandbox, path string, mode uint32, pieces ...string) (*pb.FileInfo, error) {
	stream, err := s.Files.Write(s.Context(20 * time.Second))
	sandboxtest.Must(s.T, err)
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

func read(s *sandboxtest.Sandbox, request *pb.ReadRequest) (string, error) {
	stream, err := s.Files.Read(s.Context(20*time.Second), request)
	sandboxtest.Must(s.T, err)
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

func list(s *sandboxtest.Sandbox, path string) string {
	response, err := s.Files.ListDirectory(s.Context(time.Second), &pb.ListDirectoryRequest{Path: path})
	sandboxtest.Must(s.T, err)
	names := []string{}
	for _, file := range response.Files {
		names = append(names, file.Name)
	}
	return strings.Join(names, " ")
}

func TestFilesGoThereAndBack(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	piece := strings.Repeat("0123456789abcdef", 1<<15)
	info, err := write(s, "deep/er/file", 0o750, piece, piece, piece)
	sandboxtest.Must(t, err)
	if info.Path != "/home/user/deep/er/file" || info.SizeBytes != 3<<19 || info.Mode != 0o750 || info.Type != pb.FileType_FILE_TYPE_FILE {
		t.Errorf("%v", info)
	}
	whole, err := read(s, &pb.ReadRequest{Path: "deep/er/file"})
	sandboxtest.Must(t, err)
	part, err := read(s, &pb.ReadRequest{Path: "/home/user/deep/er/file", OffsetBytes: 10, LengthBytes: 10})
	sandboxtest.Must(t, err)
	if whole != piece+piece+piece || part != "abcdef0123" {
		t.Errorf("%d bytes, %q", len(whole), part)
	}
	expected := fmt.Sprintf("%d:%[1]d:755\n%[1]d:%[1]d:750\n", sandboxtest.UserID)
	if owner := s.MustRun("stat", "-c", "%u:%g:%a", "deep/er", "deep/er/file").Stdout; owner != expected {
		t.Errorf("%q", owner)
	}
	// Written again without a mode, it keeps its mode.
	info, err = write(s, "deep/er/file", 0, "short")
	sandboxtest.Must(t, err)
	if info.Mode != 0o750 || info.SizeBytes != 5 || list(s, "deep/er") != "file" {
		t.Errorf("%v in %s", info, list(s, "deep/er"))
	}
	moved, err := s.Files.Move(s.Context(time.Second), &pb.MoveRequest{Path: "deep/er/file", Destination: "other/name"})
	sandboxtest.Must(t, err)
	if moved.File.Path != "/home/user/other/name" || list(s, "deep/er") != "" {
		t.Errorf("%v", moved)
	}
}

func TestUploadThatStopsLeavesNothing(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	ctx, cancel := context.WithCancel(s.Context(10 * time.Second))
	stream, err := s.Files.Write(ctx)
	sandboxtest.Must(t, err)
	sandboxtest.Must(t, stream.Send(&pb.WriteRequest{Path: "half/file", Data: []byte("half")}))
	s.Eventually("it has begun", func() bool {
		_, err := s.Files.Stat(s.Context(time.Second), &pb.StatRequest{Path: "half"})
		return err == nil && list(s, "half") != ""
	})
	cancel()
	s.Eventually("nothing is left", func() bool { return list(s, "half") == "" })
	stream, err = s.Files.Write(s.Context(10 * time.Second))
	sandboxtest.Must(t, err)
	sandboxtest.Must(t, stream.Send(&pb.WriteRequest{Path: "half/file", Data: []byte("half")}))
	if _, err := stream.CloseAndRecv(); status.Code(err) != codes.Canceled || list(s, "half") != "" {
		t.Errorf("an upload that never said that it is complete: %v", err)
	}
	full := strings.Repeat("x", 1<<20)
	pieces := make([]string, 100)
	for i := range pieces {
		pieces[i] = full
	}
	if _, err := write(s, "half/too-large", 0, pieces...); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a full disk: %v", err)
	}
	if left := list(s, "half"); left != "" {
		t.Errorf("left: %s", left)
	}
	s.Works()
}

func TestFilesWithTheUsersRightsOnly(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("sh", "-c", "mkfifo pipe; ln -s /etc/shadow stolen; ln -s /etc link; mkdir dir; touch dir/file; ln -s loop loop; mkdir sealed; touch sealed/x; chmod 0 sealed; ln -s /proc/1/root/etc/shadow magic")
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
		if _, err := read(s, &pb.ReadRequest{Path: test.path}); status.Code(err) != test.code {
			t.Errorf("read %.20s: %v", test.path, err)
		}
	}
	for path, code := range map[string]codes.Code{
		"/etc/new": codes.PermissionDenied, "link/new": codes.PermissionDenied, "dir": codes.FailedPrecondition,
		"dir/file/x": codes.FailedPrecondition, "sealed/y": codes.PermissionDenied, "/": codes.FailedPrecondition,
		"/proc/sys/kernel/new": codes.NotFound,
	} {
		if _, err := write(s, path, 0, "x"); status.Code(err) != code {
			t.Errorf("write %s: %v", path, err)
		}
	}
	ctx := s.Context(5 * time.Second)
	info, err := s.Files.Stat(ctx, &pb.StatRequest{Path: "stolen"})
	sandboxtest.Must(t, err)
	if info.File.Type != pb.FileType_FILE_TYPE_SYMLINK || info.File.LinkTarget != "/etc/shadow" {
		t.Errorf("%v", info)
	}
	if info, err = s.Files.Stat(ctx, &pb.StatRequest{Path: "pipe"}); err != nil || info.File.Type != pb.FileType_FILE_TYPE_OTHER {
		t.Errorf("%v %v", info, err)
	}
	if _, err = s.Files.MakeDirectory(ctx, &pb.MakeDirectoryRequest{Path: "dir/file/x"}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a directory below a file: %v", err)
	}
	if _, err = s.Files.Move(ctx, &pb.MoveRequest{Path: "dir", Destination: "dir/file"}); status.Code(err) == codes.OK {
		t.Errorf("a directory into itself")
	}
}

func TestRemoveDoesNotFollowLinks(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("sh", "-c", "mkdir -p keep tree/a/b; touch keep/file tree/a/b/c; ln -s ../../keep tree/a/link; ln -s keep link")
	ctx := s.Context(10 * time.Second)
	if _, err := s.Files.Remove(ctx, &pb.RemoveRequest{Path: "tree"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("not empty: %v", err)
	}
	for _, path := range []string{"tree", "link"} {
		_, err := s.Files.Remove(ctx, &pb.RemoveRequest{Path: path, Recursive: true})
		sandboxtest.Must(t, err)
	}
	if list(s, "") != "keep" || list(s, "keep") != "file" {
		t.Errorf("left: %s; %s", list(s, ""), list(s, "keep"))
	}
	if _, err := s.Files.Remove(ctx, &pb.RemoveRequest{Path: "tree", Recursive: true}); status.Code(err) != codes.NotFound {
		t.Errorf("gone already: %v", err)
	}
	deep := "import os\nfor i in range(3000):\n  os.mkdir('d'); os.chdir('d')"
	s.MustRun("python3", "-c", deep)
	_, err := s.Files.Remove(ctx, &pb.RemoveRequest{Path: "d", Recursive: true})
	t.Logf("a tree 3000 deep: %v", err)
	s.Works()
}

func TestListingIsPagedWhateverTheNames(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("python3", "-c", `
import os
os.mkdir('many'); os.chdir('many')
for i in range(2500): open(f'{i:05}', 'w').close()
open(b'\xff\xfe', 'w').close(); open(b'zz\xff', 'w').close()`)
	ctx := s.Context(20 * time.Second)
	count, after := 0, ""
	for page := 0; ; page++ {
		response, err := s.Files.ListDirectory(ctx, &pb.ListDirectoryRequest{Path: "many", After: after, Limit: 700})
		sandboxtest.Must(t, err)
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

func TestFilesOfTheAgentInProcAreRefused(t *testing.T) {
	for _, sameUser := range []bool{false, true} {
		s := sandboxtest.New(t, sandboxtest.Options{SameUser: sameUser})
		_, cancel := s.Start(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
		defer cancel()
		s.MustRun("sh", "-c", "ln -s /proc/1/maps maps; ln -s /proc/1/root root")
		ctx := s.Context(20 * time.Second)
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/proc/1/task", s.PID))
		sandboxtest.Must(t, err)
		thread := "/proc/" + tasks[len(tasks)-1].Name()
		for _, path := range []string{
			"/proc/1/maps", "/proc/1/smaps", "/proc/1/limits", "/proc/1/fdinfo/0", "/proc/self/maps", "/proc/thread-self/maps", "/proc/1/task/1/maps",
			thread + "/maps", "maps",
		} {
			if content, err := read(s, &pb.ReadRequest{Path: path}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("read %s: %d bytes, %v", path, len(content), err)
			}
		}
		for _, path := range []string{"/proc/1", "/proc/1/exe", "/proc/1/fd/0", "/proc/self/cwd", thread + "/exe"} {
			if info, err := s.Files.Stat(ctx, &pb.StatRequest{Path: path}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("stat %s: %v, %v", path, info, err)
			}
		}
		for _, path := range []string{"/proc/1", "/proc/1/fd", "/proc/1/map_files", "/proc/self/task", thread} {
			if list, err := s.Files.ListDirectory(ctx, &pb.ListDirectoryRequest{Path: path}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("list %s: %v, %v", path, list, err)
			}
		}
		for name, call := range map[string]func() error{
			"make": func() error {
				_, err := s.Files.MakeDirectory(ctx, &pb.MakeDirectoryRequest{Path: "root/home/user/made"})
				return err
			},
			"move": func() error {
				_, err := s.Files.Move(ctx, &pb.MoveRequest{Path: "maps", Destination: "root/home/user/moved"})
				return err
			},
			"remove": func() error {
				_, err := s.Files.Remove(ctx, &pb.RemoveRequest{Path: "root/home/user/maps", Recursive: true})
				return err
			},
			"write": func() error { _, err := write(s, "root/home/user/written", 0, "x"); return err },
			"watch": func() error {
				stream, err := s.Files.Watch(ctx, &pb.WatchRequest{Path: "root/home/user"})
				sandboxtest.Must(t, err)
				_, err = stream.Recv()
				return err
			},
		} {
			if err := call(); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("%s through a link of the agent's: %v", name, err)
			}
		}
		if left := list(s, ""); left != "maps root" {
			t.Errorf("%s", left)
		}
		// Files about the machine can still be read.
		if content, err := read(s, &pb.ReadRequest{Path: "/proc/meminfo"}); err != nil || content == "" {
			t.Errorf("%q %v", content, err)
		}
		if names := list(s, "/proc"); !strings.Contains(names, "meminfo") || strings.HasPrefix(names, "1 ") {
			t.Error(names)
		}
	}
}
