package drydock

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"

	drydockv1 "drydock.dev/drydock/v1"
)

// WriteFile writes a file and makes its parents. One that exists is replaced when the last byte has arrived, and not before; perm is
// of a new one.
func (f *FS) WriteFile(name string, data []byte, perm fs.FileMode) error {
	kind := kind{repeatable: true, unlimited: true}
	return f.write(name, perm, kind, func() io.Reader { return bytes.NewReader(data) })
}

// WriteFrom is WriteFile of what a reader has, to its end. It is read once, so the call is never repeated; where reading fails, no
// file is written. It returns when the platform refuses the file, though the reader may be silent then.
func (f *FS) WriteFrom(name string, content io.Reader, perm fs.FileMode) error {
	kind := kind{once: true, unlimited: true}
	return f.write(name, perm, kind, func() io.Reader { return content })
}

func (f *FS) write(name string, perm fs.FileMode, kind kind, content func() io.Reader) error {
	at, err := f.at("write", name)
	if err != nil {
		return err
	}
	mode := int32(perm.Perm())
	connection := f.sandbox.connection
	put := transfer[drydockv1.WriteFileRequest, drydockv1.WriteFileResponse]{
		method: connection.files.WriteFile,
		head:   &drydockv1.WriteFileRequest{SandboxId: f.sandbox.ID, Path: at, Mode: &mode},
		piece:  func(data []byte) *drydockv1.WriteFileRequest { return &drydockv1.WriteFileRequest{Data: data} },
	}
	_, err = upload(f.ctx, connection, kind, put, content)
	return pathError("write", name, err)
}

// MkdirAll makes a directory and its parents. One that exists is a success.
func (f *FS) MkdirAll(name string) error {
	at, err := f.at("mkdir", name)
	if err != nil {
		return err
	}
	connection := f.sandbox.connection
	request := &drydockv1.MakeDirectoryRequest{SandboxId: f.sandbox.ID, Path: at}
	_, err = call(f.ctx, connection, repeatable, connection.files.MakeDirectory, request)
	return pathError("mkdir", name, err)
}

// Rename moves a file or directory. A file at the destination is replaced, and its parents are made.
func (f *FS) Rename(name, destination string) error {
	from, err := f.at("rename", name)
	if err != nil {
		return err
	}
	to, err := f.at("rename", destination)
	if err != nil {
		return err
	}
	connection := f.sandbox.connection
	request := &drydockv1.MoveFileRequest{SandboxId: f.sandbox.ID, Path: from, Destination: to}
	_, err = call(f.ctx, connection, single, connection.files.MoveFile, request)
	return pathError("rename", name, err)
}

// Remove removes a file, a link or an empty directory.
func (f *FS) Remove(name string) error { return f.remove(name, false) }

// RemoveAll removes what is at a path with all that is in it. That nothing is there is no error.
func (f *FS) RemoveAll(name string) error {
	if err := f.remove(name, true); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *FS) remove(name string, recursive bool) error {
	at, err := f.at("remove", name)
	if err != nil {
		return err
	}
	connection := f.sandbox.connection
	request := &drydockv1.RemoveFileRequest{SandboxId: f.sandbox.ID, Path: at, Recursive: recursive}
	_, err = call(f.ctx, connection, single, connection.files.RemoveFile, request)
	return pathError("remove", name, err)
}

// fileInfo is an fs.FileInfo; its Sys is the message.
type fileInfo struct {
	name    string
	message *drydockv1.FileInfo
}

// named has the name by which it was asked for, though a link may have led elsewhere.
func (i *fileInfo) named(name string) *fileInfo { return &fileInfo{path.Base(name), i.message} }
