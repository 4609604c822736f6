package files

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/user"
)

const (
	maxEntries   = 1000
	namesAtATime = 1024
)

func (s *Service) MakeDirectory(_ context.Context, request *pb.MakeDirectoryRequest) (*pb.MakeDirectoryResponse, error) {
	path := user.Path(request.Path)
	info, err := Do(s.user, func() (*pb.FileInfo, error) {
		if err := makeDirectories(path); err != nil {
			if errors.Is(err, unix.ENOTDIR) {
				return nil, fault.New(pb.Reason_FILE_EXISTS, "%s: a file is in the way", path)
			}
			return nil, err
		}
		return describe(path)
	})
	return &pb.MakeDirectoryResponse{File: info}, err
}

func (s *Service) ListDirectory(_ context.Context, request *pb.ListDirectoryRequest) (*pb.ListDirectoryResponse, error) {
	limit := int(request.Limit)
	if limit == 0 || limit > maxEntries {
		limit = maxEntries
	}
	return Do(s.user, func() (*pb.ListDirectoryResponse, error) {
		return listDirectory(user.Path(request.Path), request.After, limit)
	})
}

func listDirectory(path, after string, limit int) (*pb.ListDirectoryResponse, error) {
	directory, err := open(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	names, err := firstNames(directory, after, limit+1)
	if err != nil {
		return nil, err
	}
	response := &pb.ListDirectoryResponse{More: len(names) > limit}
	for _, name := range names[:min(limit, len(names))] {
		// An entry may have vanished since, or be about the agent.
		if info, err := describe(filepath.Join(path, name)); err == nil {
			response.Files = append(response.Files, info)
		}
	}
	return response, nil
}

// firstNames finds the first names after a given one of possibly millions, and holds a few thousand at most. They are sorted
// as shown, so that a page can begin after a name that is not text.
func firstNames(directory *os.File, after string, count int) ([]string, error) {
	byShown := func(a, b string) int { return strings.Compare(programs.Printable(a), programs.Printable(b)) }
	var names []string
	for {
		batch, err := directory.Readdirnames(namesAtATime)
		for _, name := range batch {
			if programs.Printable(name) > after {
				names = append(names, strings.Clone(name))
			}
		}
		if len(names) > count {
			slices.SortFunc(names, byShown)
			clear(names[count:])
			names = names[:count]
		}
		if errors.Is(err, io.EOF) || len(batch) == 0 && err == nil {
			slices.SortFunc(names, byShown)
			return names, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
