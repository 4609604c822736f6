package files_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestWatch(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	ctx, cancel := context.WithCancel(s.Context(20 * time.Second))
	stream, err := s.Files.Watch(ctx, &pb.WatchRequest{Path: ".", Recursive: true})
	sandboxtest.Must(t, err)
	_, err = stream.Header()
	sandboxtest.Must(t, err)
	s.MustRun("sh", "-c", "mkdir -p sub/deep; echo x > sub/deep/file; rm sub/deep/file; echo > last")
	seen := ""
	for !strings.Contains(seen, "CREATED /home/user/last") {
		event, err := stream.Recv()
		sandboxtest.Must(t, err)
		seen += fmt.Sprintf("%s %s\n", strings.TrimPrefix(event.Kind.String(), "KIND_"), event.Path)
	}
	if !strings.Contains(seen, "CREATED /home/user/sub\n") || !strings.Contains(seen, "CREATED /home/user/sub/deep\n") {
		t.Error(seen)
	}
	// Without a reader the kernel's queue overflows, and that is told.
	s.MustRun("python3", "-c", "import os\nfor i in range(40000):\n  n = f'sub/f{i % 50}'; open(n, 'w').close(); os.unlink(n)")
	for {
		event, err := stream.Recv()
		sandboxtest.Must(t, err)
		if event.Kind == pb.WatchResponse_KIND_OVERFLOW {
			break
		}
	}
	cancel()
	if stream, err := s.Files.Watch(s.Context(time.Second), &pb.WatchRequest{Path: "/no/such"}); err == nil {
		if _, err = stream.Recv(); status.Code(err) != codes.NotFound {
			t.Errorf("nothing there: %v", err)
		}
	}
}

// watching begins a watch, which notices changes from now on.
func watching(s *sandboxtest.Sandbox, request *pb.WatchRequest) grpc.ServerStreamingClient[pb.WatchResponse] {
	s.T.Helper()
	stream, err := s.Files.Watch(s.Context(8*time.Second), request)
	sandboxtest.Must(s.T, err)
	_, err = stream.Header()
	sandboxtest.Must(s.T, err)
	return stream
}

func TestWatchTellsThatANewDirectoryHasMoreThanItLists(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("sh", "-c", "mkdir watched small large; touch small/file; cd large; seq 3000 | xargs touch")
	stream := watching(s, &pb.WatchRequest{Path: "watched", Recursive: true})
	s.MustRun("sh", "-c", "mv large watched/; mv small watched/; touch watched/last")
	created, overflows := map[string]int{}, 0
	for created["/home/user/watched/last"] == 0 {
		event, err := stream.Recv()
		sandboxtest.Must(t, err)
		switch event.Kind {
		case pb.WatchResponse_KIND_CREATED:
			created[event.Path]++
		case pb.WatchResponse_KIND_OVERFLOW:
			overflows++
			if event.Path != "/home/user/watched/large" {
				t.Errorf("%v", event)
			}
		}
	}
	if overflows != 1 || len(created) != 1000+4 || created["/home/user/watched/small/file"] != 1 {
		t.Errorf("%d overflows, %d created", overflows, len(created))
	}
}

func TestWatchEndsWithItsRoot(t *testing.T) {
	for _, script := range []string{"rm -r watched", "mv watched other", "rm -r watched; mkdir watched"} {
		for _, recursive := range []bool{false, true} {
			s := sandboxtest.New(t, sandboxtest.Options{})
			s.MustRun("sh", "-c", "mkdir -p watched/sub; touch watched/sub/file")
			stream := watching(s, &pb.WatchRequest{Path: "watched", Recursive: recursive})
			s.MustRun("sh", "-c", script)
			var last *pb.WatchResponse
			for {
				event, err := stream.Recv()
				if err != nil {
					if fault.ReasonOf(err) != pb.Reason_FILE_NOT_FOUND {
						t.Errorf("%s: %v", script, err)
					}
					break
				}
				last = event
			}
			if last.GetKind() != pb.WatchResponse_KIND_REMOVED || last.GetPath() != "/home/user/watched" {
				t.Errorf("%s: the last event is %v", script, last)
			}
		}
	}
}

func TestWatchForgetsADirectoryThatLeavesTheTree(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("mkdir", "-p", "watched/leaving/deep", "watched/staying")
	stream := watching(s, &pb.WatchRequest{Path: "watched", Recursive: true})
	s.MustRun("mv", "watched/leaving", "away")
	s.Eventually("it is told that it left", func() bool {
		event, err := stream.Recv()
		sandboxtest.Must(t, err)
		return event.Kind == pb.WatchResponse_KIND_MOVED && event.Path == "/home/user/watched/leaving"
	})
	s.MustRun("sh", "-c", "touch away/file away/deep/file; touch watched/staying/last")
	for {
		event, err := stream.Recv()
		sandboxtest.Must(t, err)
		if strings.HasSuffix(event.Path, "/file") {
			t.Errorf("%v", event)
		}
		if event.Path == "/home/user/watched/staying/last" {
			break
		}
	}
}

func TestWatchCountsTheDirectoriesThatAreThere(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("mkdir", "watched")
	stream := watching(s, &pb.WatchRequest{Path: "watched", Recursive: true})
	for round := range 3 {
		s.MustRun(sandboxtest.Python("import os\nos.chdir('watched')\nfor i in range(600): os.mkdir(str(i))\nfor i in range(600): os.rmdir(str(i))\nos.mkdir('end'); os.rmdir('end')")...)
		for {
			event, err := stream.Recv()
			sandboxtest.Must(t, err)
			if event.Kind == pb.WatchResponse_KIND_OVERFLOW {
				t.Fatalf("in round %d: %v", round, event)
			}
			if event.Kind == pb.WatchResponse_KIND_REMOVED && strings.HasSuffix(event.Path, "/end") {
				break
			}
		}
	}
	s.MustRun(sandboxtest.Python("import os\nos.chdir('watched')\nfor i in range(1100): os.mkdir(str(i))")...)
	for {
		event, err := stream.Recv()
		sandboxtest.Must(t, err)
		if event.Kind == pb.WatchResponse_KIND_OVERFLOW {
			break
		}
	}
}
