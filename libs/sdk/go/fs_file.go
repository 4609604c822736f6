package drydock

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

func (i *fileInfo) Name() string       { return i.name }
func (i *fileInfo) Size() int64        { return i.message.GetSizeBytes() }
func (i *fileInfo) ModTime() time.Time { return toTime(i.message.GetModifyTime()) }
func (i *fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *fileInfo) Sys() any           { return i.message }

func (i *fileInfo) Mode() fs.FileMode {
	mode := fs.FileMode(i.message.GetMode()).Perm()
	switch i.message.GetType() {
	case drydockv1.FileInfo_FILE:
		return mode
	case drydockv1.FileInfo_DIRECTORY:
		return mode | fs.ModeDir
	case drydockv1.FileInfo_SYMLINK:
		return mode | fs.ModeSymlink
	}
	return mode | fs.ModeIrregular
}

// File is an open file, read from where it was sought. It is not safe for concurrent use, but for ReadAt.
type File struct {
	fs     *FS
	name   string
	path   string
	info   *fileInfo
	offset int64
	// pieces is nil until something is read from offset.
	pieces *pieceReader
	closed bool
}

var (
	_ io.ReadSeekCloser = (*File)(nil)
	_ io.ReaderAt       = (*File)(nil)
)

// Stat is how the file was when it was opened.
func (f *File) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, pathError("stat", f.name, fs.ErrClosed)
	}
	return f.info, nil
}

func (f *File) Read(data []byte) (int, error) {
	if f.closed {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	if f.pieces == nil {
		pieces, err := f.fs.read(f.fs.ctx, &drydockv1.ReadFileRequest{Path: f.path, OffsetBytes: f.offset})
		if err != nil {
			return 0, pathError("read", f.name, err)
		}
		f.pieces = pieces
	}
	n, err := f.pieces.Read(data)
	f.offset += int64(n)
	if err != nil && err != io.EOF {
		err = pathError("read", f.name, err)
	}
	return n, err
}

// ReadAt fetches what it is asked for, and no more.
func (f *File) ReadAt(data []byte, offset int64) (int, error) {
	if f.closed {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	if offset < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	length := int64(len(data))
	if length == 0 {
		return 0, nil
	}
	pieces, err := f.fs.read(f.fs.ctx, &drydockv1.ReadFileRequest{Path: f.path, OffsetBytes: offset, LengthBytes: &length})
	if err != nil {
		return 0, pathError("read", f.name, err)
	}
	defer pieces.Close()
	n, err := io.ReadFull(pieces, data)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, io.EOF
	case err != nil && err != io.EOF:
		return n, pathError("read", f.name, err)
	}
	return n, err
}

// Seek moves to where the next Read begins; the end is that of when the file was opened.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.info.Size()
	}
	if f.closed || offset < 0 {
		return 0, pathError("seek", f.name, fs.ErrInvalid)
	}
	if offset != f.offset {
		f.stop()
		f.offset = offset
	}
	return offset, nil
}

// Close ends the fetching.
func (f *File) Close() error {
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	f.stop()
	return nil
}

func (f *File) stop() {
	if f.pieces != nil {
		f.pieces.close()
		f.pieces = nil
	}
}

// directory is an open directory, listed when it is first read.
type directory struct {
	fs     *FS
	name   string
	info   *fileInfo
	rest   []fs.DirEntry
	listed bool
	closed bool
}

func (d *directory) Stat() (fs.FileInfo, error) {
	if d.closed {
		return nil, pathError("stat", d.name, fs.ErrClosed)
	}
	return d.info, nil
}

func (d *directory) Read([]byte) (int, error) {
	return 0, pathError("read", d.name, errors.New("is a directory"))
}

func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.closed {
		return nil, pathError("readdir", d.name, fs.ErrClosed)
	}
	if !d.listed {
		entries, err := d.fs.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.rest, d.listed = entries, true
	}
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	entries := slices.Clone(d.rest[:n])
	d.rest = d.rest[n:]
	return entries, nil
}

func (d *directory) Close() error {
	if d.closed {
		return pathError("close", d.name, fs.ErrClosed)
	}
	d.closed = true
	return nil
}
