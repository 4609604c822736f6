package drydock

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"

	drydockv1 "drydock.dev/drydock/v1"
)

// How many symbolic links are followed to one file.
const maxLinks = 40

// FS has the files below a directory of a sandbox, with the rights of the sandbox's own user. Names are those of io/fs: relative,
// separated by slashes, without dots that lead elsewhere. Errors are an *fs.PathError with an *Error in it, and fs.ErrNotExist,
// fs.ErrExist and fs.ErrPermission as fits; ErrConflict where a directory is in place of a file, or the reverse.
type FS struct {
	ctx     context.Context
	sandbox *Sandbox
	root    string
}

var (
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.ReadFileFS = (*FS)(nil)
	_ fs.ReadLinkFS = (*FS)(nil)
	_ fs.StatFS     = (*FS)(nil)
	_ fs.SubFS      = (*FS)(nil)
)

// FS has the files of the home.
func (s *Sandbox) FS() *FS { return &FS{s.connection.closed, s, "."} }

// FSAt has the files below a directory, absolute or relative to the home.
func (s *Sandbox) FSAt(directory string) *FS {
	return &FS{s.connection.closed, s, path.Clean(directory)}
}

// WithContext has the same files; its calls end with ctx.
func (f *FS) WithContext(ctx context.Context) *FS { return &FS{ctx, f.sandbox, f.root} }

// Sub has the files below a directory of f.
func (f *FS) Sub(directory string) (fs.FS, error) {
	if !fs.ValidPath(directory) {
		return nil, &fs.PathError{Op: "sub", Path: directory, Err: fs.ErrInvalid}
	}
	return &FS{f.ctx, f.sandbox, path.Join(f.root, directory)}, nil
}

// at is the path of a name, checked.
func (f *FS) at(operation, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: operation, Path: name, Err: fs.ErrInvalid}
	}
	return path.Join(f.root, name), nil
}

func pathError(operation, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: operation, Path: name, Err: err}
}

// Open opens a file, a *File, or a directory, an fs.ReadDirFile. A file's content is fetched as it is read.
func (f *FS) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &directory{fs: f, name: name, info: info}, nil
	}
	return &File{fs: f, name: name, path: path.Join(f.root, name), info: info}, nil
}

// Stat describes what is at a path; a symbolic link is followed.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return asFileInfo(f.stat("stat", name)) }

// Lstat describes what is at a path; a symbolic link is described itself.
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return asFileInfo(f.lstat("lstat", name)) }

// asFileInfo makes no interface of a nil pointer.
func asFileInfo(info *fileInfo, err error) (fs.FileInfo, error) {
	if err != nil {
		return nil, err
	}
	return info, nil
}

func (f *FS) lstat(operation, name string) (*fileInfo, error) {
	at, err := f.at(operation, name)
	if err != nil {
		return nil, err
	}
	info, err := f.describe(at)
	if err != nil {
		return nil, pathError(operation, name, err)
	}
	return info.named(name), nil
}

func (f *FS) stat(operation, name string) (*fileInfo, error) {
	info, err := f.lstat(operation, name)
	for links := 0; err == nil && info.Mode()&fs.ModeSymlink != 0; links++ {
		if links == maxLinks {
			return nil, pathError(operation, name, errors.New("too many symbolic links"))
		}
		target := info.message.GetLinkTarget()
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(info.message.GetPath()), target)
		}
		if info, err = f.describe(target); err != nil {
			return nil, pathError(operation, name, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return info.named(name), nil
}

func (f *FS) describe(at string) (*fileInfo, error) {
	connection := f.sandbox.connection
	request := &drydockv1.StatFileRequest{SandboxId: f.sandbox.ID, Path: at}
	answer, err := call(f.ctx, connection, repeatable, connection.files.StatFile, request)
	if err != nil {
		return nil, err
	}
	return &fileInfo{name: answer.GetFile().GetName(), message: answer.GetFile()}, nil
}

// ReadLink returns where a symbolic link points.
func (f *FS) ReadLink(name string) (string, error) {
	info, err := f.lstat("readlink", name)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return "", pathError("readlink", name, fs.ErrInvalid)
	}
	return info.message.GetLinkTarget(), nil
}

// ReadFile returns the content of a file, however large.
func (f *FS) ReadFile(name string) ([]byte, error) {
	at, err := f.at("open", name)
	if err != nil {
		return nil, err
	}
	pieces, err := f.read(f.ctx, &drydockv1.ReadFileRequest{Path: at})
	if err != nil {
		return nil, pathError("open", name, err)
	}
	defer pieces.Close()
	content, err := io.ReadAll(pieces)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return content, nil
}

// read reads a file from its beginning, or an offset, to its end.
func (f *FS) read(ctx context.Context, request *drydockv1.ReadFileRequest) (*pieceReader, error) {
	connection := f.sandbox.connection
	request.SandboxId = f.sandbox.ID
	pieces, err := open(ctx, connection, repeatable, connection.files.ReadFile, request)
	if err != nil {
		return nil, err
	}
	return &pieceReader{next: nextData(pieces), close: pieces.close}, nil
}

// ReadDir lists a directory by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := f.at("readdir", name)
	if err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for info, err := range f.list(at) {
		if err != nil {
			return entries, pathError("readdir", name, err)
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (f *FS) list(at string) func(func(*fileInfo, error) bool) {
	connection := f.sandbox.connection
	return pages(func(pageToken string) ([]*fileInfo, string, error) {
		request := &drydockv1.ListFilesRequest{SandboxId: f.sandbox.ID, Path: at, PageToken: pageToken}
		answer, err := call(f.ctx, connection, repeatable, connection.files.ListFiles, request)
		if err != nil {
			return nil, "", err
		}
		infos := converted(answer.GetFiles(), func(m *drydockv1.FileInfo) *fileInfo {
			return &fileInfo{name: m.GetName(), message: m}
		})
		return infos, answer.GetNextPageToken(), nil
	})
}
