package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"google.golang.org/grpc"

	pb "drydock.dev/agent/internal/agentv1"
)

// maxWatched bounds the directories of one watch: each holds kernel memory.
const maxWatched = 1000

func (s *filesystemService) Watch(request *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fileStatus(err)
	}
	defer watcher.Close()
	root := absolute(request.Path)
	if _, err := onFiles(func() (any, error) { return nil, addWatches(watcher, root, request.Recursive) }); err != nil {
		return err
	}
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case event, open := <-watcher.Events:
			if !open {
				return nil
			}
			if request.Recursive && event.Has(fsnotify.Create) {
				_, _ = onFiles(func() (any, error) { return nil, addWatches(watcher, event.Name, true) })
			}
			if kind := kindOf(event.Op); kind != pb.WatchResponse_KIND_UNSPECIFIED {
				if err := stream.Send(&pb.WatchResponse{Kind: kind, Path: event.Name}); err != nil {
					return err
				}
			}
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fileStatus(err)
			}
			if err := stream.Send(&pb.WatchResponse{Kind: pb.WatchResponse_KIND_OVERFLOW, Path: root}); err != nil {
				return err
			}
		}
	}
}

func addWatches(watcher *fsnotify.Watcher, root string, recursive bool) error {
	if info, err := os.Lstat(root); err != nil {
		return err
	} else if !recursive || !info.IsDir() {
		return watcher.Add(root)
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		if len(watcher.WatchList()) >= maxWatched {
			return fs.SkipAll
		}
		return watcher.Add(path)
	})
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
