package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// errPartial: some of the directories are not watched.
var errPartial = errors.New("not all directories can be watched")

// watches counts the calls that watch. The kernel limits a user's watches on the whole host, and ours count as uid 1000's.
type watches struct{ open atomic.Int32 }

// watch is one call.
type watch struct {
	user      user.User
	watcher   *fsnotify.Watcher
	root      string
	recursive bool
	stream    grpc.ServerStreamingServer[pb.WatchResponse]
	// watched are the paths that the watcher has.
	watched map[string]struct{}
}

// Watch answers with its headers once changes are noticed.
func (s *Service) Watch(request *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	defer s.watches.open.Add(-1)
	if s.watches.open.Add(1) > maxWatches {
		return fault.New(pb.Reason_WATCH_LIMIT_REACHED, "more than %d watches", maxWatches)
	}
	w := &watch{
		user: s.user, root: user.Path(request.Path), recursive: request.Recursive, stream: stream, watched: map[string]struct{}{},
	}
	_, err := Do(s.user, func() (_ any, err error) {
		if _, err := describe(w.root); err != nil {
			return nil, err
		}
		if w.watcher, err = fsnotify.NewWatcher(); err != nil {
			return nil, err
		}
		_, err = w.add(w.root)
		if errors.Is(err, errPartial) {
			err = fault.New(pb.Reason_WATCH_LIMIT_REACHED, "more than %d directories to watch", maxWatched)
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
	return w.follow()
}

// follow tells changes until the call or the root ends.
func (w *watch) follow() error {
	for {
		select {
		case <-w.stream.Context().Done():
			return w.stream.Context().Err()
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
			if err := w.catchUp(); err != nil {
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
	if event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
		if event.Name == w.root {
			return w.end()
		}
		w.forget(event.Name)
	}
	if err := w.send(kind, event.Name); err != nil || !w.recursive || !event.Has(fsnotify.Create) {
		return err
	}
	// A new directory may have got files before it was watched.
	found, err := user.As(w.user, func() ([]string, error) { return w.add(event.Name) })
	for _, path := range found[:min(len(found), maxEntries)] {
		if err := w.send(pb.WatchResponse_KIND_CREATED, path); err != nil {
			return err
		}
	}
	if len(found) > maxEntries || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return w.send(pb.WatchResponse_KIND_OVERFLOW, event.Name)
	}
	return nil
}

// catchUp goes on after lost events, which may have told of new directories, or of the end of the root.
func (w *watch) catchUp() error {
	_, err := user.As(w.user, func() ([]string, error) { return w.add(w.root) })
	if errors.Is(err, fs.ErrNotExist) {
		return w.end()
	}
	return w.send(pb.WatchResponse_KIND_OVERFLOW, w.root)
}

// end tells that the root is gone from its path, and that nothing more follows.
func (w *watch) end() error {
	if err := w.send(pb.WatchResponse_KIND_REMOVED, w.root); err != nil {
		return err
	}
	return fault.New(pb.Reason_FILE_NOT_FOUND, "%s: is gone", w.root)
}

func (w *watch) send(kind pb.WatchResponse_Kind, path string) error {
	return w.stream.Send(&pb.WatchResponse{Kind: kind, Path: programs.Printable(path)})
}

// add watches a path, if recursive with all directories below it, and lists the first entries found there, one more than are
// told at most. errPartial: there are more directories than may be watched.
func (w *watch) add(path string) (found []string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !w.recursive || !info.IsDir() {
		if path != w.root {
			return nil, nil
		}
		return nil, w.watch(path)
	}
	err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if at != path && len(found) <= maxEntries {
			found = append(found, at)
		}
		if !entry.IsDir() {
			return nil
		}
		return w.watch(at)
	})
	return found, err
}

func (w *watch) watch(path string) error {
	if _, known := w.watched[path]; !known && len(w.watched) >= maxWatched {
		return errPartial
	}
	err := w.watcher.Add(path)
	if err == nil {
		w.watched[path] = struct{}{}
	}
	return err
}

// forget ends watching a directory that left the tree, with those below it.
func (w *watch) forget(path string) {
	if _, known := w.watched[path]; !known {
		return
	}
	for each := range w.watched {
		if each == path || strings.HasPrefix(each, path+"/") {
			// The kernel may have ended it.
			_ = w.watcher.Remove(each)
			delete(w.watched, each)
		}
	}
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
