package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/chunk"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/threads"
	"drydock.dev/agent/internal/user"
)

// Service implements FilesystemService.
type Service struct {
	pb.UnimplementedFilesystemServiceServer
	user    user.User
	watches watches
}

// New makes the service that works as this user.
func New(u user.User) *Service { return &Service{user: u} }

func (s *Service) Read(request *pb.ReadRequest, stream grpc.ServerStreamingServer[pb.ReadResponse]) error {
	if request.OffsetBytes < 0 || request.LengthBytes < 0 {
		return fault.New(pb.Reason_INVALID_REQUEST, "offset and length must not be negative")
	}
	path := user.Path(request.Path)
	file, err := Do(s.user, func() (*os.File, error) { return openRegular(path) })
	if err != nil {
		return err
	}
	defer file.Close()
	length := request.LengthBytes
	if length == 0 {
		length = 1<<63 - 1 - request.OffsetBytes
	}
	section := io.NewSectionReader(file, request.OffsetBytes, length)
	buffer := chunk.Get()
	defer chunk.Put(buffer)
	for {
		count, err := threads.Blocking(func() (int, error) { return section.Read(buffer[:]) })
		if count > 0 {
			if sent := stream.Send(&pb.ReadResponse{Data: buffer[:count]}); sent != nil {
				return sent
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return statusOf(err)
		}
	}
}

func (s *Service) Stat(_ context.Context, request *pb.StatRequest) (*pb.StatResponse, error) {
	info, err := Do(s.user, func() (*pb.FileInfo, error) { return describe(user.Path(request.Path)) })
	return &pb.StatResponse{File: info}, err
}

func (s *Service) Move(_ context.Context, request *pb.MoveRequest) (*pb.MoveResponse, error) {
	from, to := user.Path(request.Path), user.Path(request.Destination)
	info, err := Do(s.user, func() (*pb.FileInfo, error) {
		return move(from, to)
	})
	return &pb.MoveResponse{File: info}, err
}

func (s *Service) Remove(_ context.Context, request *pb.RemoveRequest) (*pb.RemoveResponse, error) {
	path := user.Path(request.Path)
	return Do(s.user, func() (*pb.RemoveResponse, error) {
		// A link in the way must not lead to a directory that is open in the agent.
		if _, err := describe(path); err != nil {
			return nil, err
		}
		remove := os.Remove
		if request.Recursive {
			// Works through open directories and never follows a link.
			remove = os.RemoveAll
		}
		return &pb.RemoveResponse{}, remove(path)
	})
}

func move(from, to string) (*pb.FileInfo, error) {
	if _, err := describe(from); err != nil {
		return nil, err
	}
	if err := makeDirectories(filepath.Dir(to)); err != nil {
		return nil, err
	}
	source, err := openParent(from)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	target, err := openParent(to)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	// Not os.Rename, which refuses to move over an empty directory.
	if err := unix.Renameat(int(source.Fd()), filepath.Base(from), int(target.Fd()), filepath.Base(to)); err != nil {
		return nil, &os.LinkError{Op: "move", Old: from, New: to, Err: err}
	}
	return describe(to)
}

// describe tells about a file itself, not about a link's target. Names need not be text; messages must be.
func describe(path string) (*pb.FileInfo, error) {
	file, err := open(unix.AT_FDCWD, path, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	described := &pb.FileInfo{
		Name: programs.Printable(info.Name()), Path: programs.Printable(path), SizeBytes: info.Size(), Mode: uint32(info.Mode().Perm()),
		ModifyUnixMicroseconds: info.ModTime().UnixMicro(), Type: typeOf(info.Mode()),
	}
	if described.Type == pb.FileType_FILE_TYPE_SYMLINK {
		var target [unix.PathMax]byte
		count, _ := unix.Readlinkat(int(file.Fd()), "", target[:])
		described.LinkTarget = programs.Printable(string(target[:max(count, 0)]))
	}
	return described, nil
}

func typeOf(mode fs.FileMode) pb.FileType {
	switch {
	case mode.IsRegular():
		return pb.FileType_FILE_TYPE_FILE
	case mode.IsDir():
		return pb.FileType_FILE_TYPE_DIRECTORY
	case mode&fs.ModeSymlink != 0:
		return pb.FileType_FILE_TYPE_SYMLINK
	}
	return pb.FileType_FILE_TYPE_OTHER
}
