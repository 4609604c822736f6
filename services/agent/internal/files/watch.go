package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/user"
)

const (
	maxWatches = 16
	// maxWatched bounds the directories of one watch: each holds kernel memory.
	maxWatched = 1000
)

var errTooWide = fault.New(pb.Reason_WATCH_LIMIT_REACHED, "more than %d directories to watch", maxWatched)

// watches counts the calls that watch. The kernel limits a user's watches on the whole host, and ours count as uid 1000's.
type watches struct{ open atomic.Int32 }

// watch is one call.
type watch struct {
	user      user.User
	watcher   *fsnotify.Watcher
	root      string
	recursive bool
	stream    grpc.ServerStreamingServer[pb.WatchResponse]
}

// Watch answers with its headers once changes are noticed.
func (s *Service) Watch(request *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	defer s.watches.open.Add(-1)
	if s.watches.open.Add(1) > maxWatches {
		return fault.New(pb.Reason_WATCH_LIMIT_REACHED, "more than %d watches", maxWatches)
	}
	w := &watch{user: s.user, root: user.Path(request.Path), recursive: request.Recursive, stream: stream}
	_, err := Do(s.user, func() (_ any, err error) {
		if _, err := describe(w.root); err != nil {
			return nil, err
		}
		if w.watcher, err = fsnotify.NewWatcher(); err == nil {
			_, err = w.add(w.root)
		}
		return nil, err
	})
	if w.watcher != nil {
		defer w.watcher.Close()
	}
	if err != nil {
		return err
	}
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case event, open := <-w.watcher.Events:
			if !open {
				return nil
			}
			if err := w.tell(event); err != nil {
				return err
			}
		case err := <-w.watcher.Errors:
			// The kernel's queue is bounded and tells when it is full.
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return statusOf(err)
			}
			if err := w.send(pb.WatchResponse_KIND_OVERFLOW, w.root); err != nil {
				return err
			}
		}
	}
}

func (w *watch) tell(event fsnotify.Event) error {
	kind := kindOf(event.Op)
	if kind == pb.WatchResponse_KIND_UNSPECIFIED {
		return nil
	}
	if err := w.send(kind, event.Name); err != nil || !w.recursive || !event.Has(fsnotify.Create) {
		return err
	}
	// A new directory may have got files before it was watched.
	found, err := user.As(w.user, func() ([]string, error) { return w.add(event.Name) })
	if errors.Is(err, errTooWide) {
		return w.send(pb.WatchResponse_KIND_OVERFLOW, event.Name)
	}
	for _, path := range found {
		if err := w.send(pb.WatchResponse_KIND_CREATED, path); err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) send(kind pb.WatchResponse_Kind, path string) error {
	return w.stream.Send(&pb.WatchResponse{Kind: kind, Path: programs.Printable(path)})
}

// add watches a path, if recursive with all directories below it, and lists the entries found there.
func (w *watch) add(path string) (found []string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !w.recursive || !info.IsDir() {
		if path != w.root {
			return nil, nil
		}
		return nil, w.watcher.Add(path)
	}
	err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if at != path && len(found) < maxEntries {
			found = append(found, at)
		}
		if !entry.IsDir() {
			return nil
		}
		if len(w.watcher.WatchList()) >= maxWatched {
			return errTooWide
		}
		return w.watcher.Add(at)
	})
	return found, err
}

func kindOf(operation fsnotify.Op) pb.WatchResponse_Kind {
	switch {
	case operation.Has(fsnotify.Create):
		return pb.WatchResponse_KIND_CREATED
	case operation.Has(fsnotify.Remove):
		return pb.WatchResponse_KIND_REMOVED
	case operation.Has(fsnotify.Rename):
		return pb.WatchResponse_KIND_MOVED
	case operation.Has(fsnotify.Write):
		return pb.WatchResponse_KIND_CHANGED
	}
	return pb.WatchResponse_KIND_UNSPECIFIED
}
