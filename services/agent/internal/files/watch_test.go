package files_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
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
	// Nobody reads for a while: the kernel's queue runs over, and that is told.
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
