package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing/fstest"
	"time"

	"drydock.dev/drydock"
)

const mebibyte = 1 << 20

var files = map[string]func(*scenario){
	"files-text": func(s *scenario) {
		fsys := s.sandbox().FS()
		text := "ünï\x00🙂"
		s.ok(fsys.WriteFile("a/b/text", []byte(text), 0o600))
		info, err := fsys.Stat("a/b/text")
		s.ok(err)
		s.equal(info.Name(), "text")
		s.equal(info.Mode(), fs.FileMode(0o600))
		s.that(time.Since(info.ModTime()).Abs() < time.Hour, "it is new")
		content, err := fsys.ReadFile("a/b/text")
		s.ok(err)
		s.equal(string(content), text)
		bytes := make([]byte, 256)
		for i := range bytes {
			bytes[i] = byte(i)
		}
		s.ok(fsys.WriteFile("bytes", bytes, 0o644))
		content, err = fsys.ReadFile("bytes")
		s.ok(err)
		s.equal(content, bytes)
		file, err := fsys.Open("bytes")
		s.ok(err)
		one := make([]byte, 1)
		_, err = file.(io.ReaderAt).ReadAt(one, 254)
		s.ok(err)
		s.equal(one, []byte{254})
		_, err = file.(io.Seeker).Seek(-1, io.SeekEnd)
		s.ok(err)
		content, err = io.ReadAll(file)
		s.ok(err)
		s.equal(content, []byte{255})
		s.ok(file.Close())
		s.ok(fsys.WriteFile("empty", nil, 0o644))
		content, err = fsys.ReadFile("empty")
		s.ok(err)
		s.equal(len(content), 0)
		for i := range 10 {
			s.ok(fsys.WriteFile(fmt.Sprintf("many/%d", i), fmt.Append(nil, i), 0o644))
		}
		content, err = fsys.ReadFile("many/9")
		s.ok(err)
		s.equal(string(content), "9")
	},

	"files-stream": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		limits := drydock.Limits{MemoryBytes: 256 * mebibyte, DiskBytes: 64 * mebibyte, CPUs: 2}
		sandbox, err := tenant.CreateSandbox(s.ctx, "python", limits)
		s.ok(err)
		fsys := sandbox.FS().WithContext(s.ctx)
		s.ok(fsys.WriteFrom("large", &counted{size: 32 * mebibyte}, 0o644))
		file, err := fsys.Open("large")
		s.ok(err)
		defer file.Close()
		info, err := file.Stat()
		s.ok(err)
		s.equal(info.Size(), int64(32*mebibyte))
		want, piece := &counted{size: 32 * mebibyte}, make([]byte, mebibyte)
		for expected := make([]byte, mebibyte); ; {
			n, err := io.ReadFull(file, piece)
			if err == io.EOF {
				break
			}
			s.ok(err)
			_, _ = io.ReadFull(want, expected)
			s.that(string(piece[:n]) == string(expected), "what is read is what was written")
		}
		s.equal(want.at, 32*mebibyte)
		// A reader that leaves ends the call.
		left, err := fsys.Open("large")
		s.ok(err)
		_, err = left.Read(piece)
		s.ok(err)
		s.ok(left.Close())
		// A source that fails writes nothing.
		broken := errors.New("broken")
		err = fsys.WriteFrom("half", io.MultiReader(&counted{size: mebibyte}, &failing{broken}), 0o644)
		s.fails(err, broken)
		_, err = fsys.Stat("half")
		s.fails(err, fs.ErrNotExist)
	},

	"files-tree": func(s *scenario) {
		sandbox := s.sandbox()
		fsys := sandbox.FS()
		s.ok(fsys.MkdirAll("src/deep"))
		s.ok(fsys.WriteFile("src/one", []byte("1"), 0o644))
		entries, err := fsys.ReadDir("src")
		s.ok(err)
		var listed []string
		for _, entry := range entries {
			listed = append(listed, fs.FormatDirEntry(entry))
		}
		s.equal(listed, []string{"d deep/", "- one"})
		s.ok(sandbox.Command(s.ctx, "ln", "-s", "one", "src/link").Run())
		s.ok(fstest.TestFS(fsys, "src/one", "src/deep", "src/link"))
		target, err := fsys.ReadLink("src/link")
		s.ok(err)
		s.equal(target, "one")
		s.ok(fsys.Rename("src/one", "other/two"))
		_, err = fsys.Stat("src/one")
		s.fails(err, fs.ErrNotExist)
		_, err = fsys.Stat("src/link")
		s.fails(err, fs.ErrNotExist)
		sub, err := fs.Sub(fsys, "other")
		s.ok(err)
		content, err := fs.ReadFile(sub, "two")
		s.ok(err)
		s.equal(string(content), "1")
		s.fails(fsys.Remove("src"), drydock.ErrConflict)
		s.ok(fsys.RemoveAll("src"))
		s.ok(fsys.RemoveAll("src"))
		_, err = fsys.Stat("src")
		s.fails(err, fs.ErrNotExist)
	},

	"files-missing": func(s *scenario) {
		sandbox := s.sandbox()
		fsys := sandbox.FS()
		missing := map[string]func() error{
			"read":   func() error { _, err := fsys.ReadFile("nope"); return err },
			"open":   func() error { _, err := fsys.Open("nope"); return err },
			"stat":   func() error { _, err := fsys.Stat("nope"); return err },
			"list":   func() error { _, err := fsys.ReadDir("nope"); return err },
			"remove": func() error { return fsys.Remove("nope") },
		}
		for _, fail := range missing {
			err := fail()
			s.fails(err, drydock.ErrNotFound)
			s.fails(err, fs.ErrNotExist)
			s.failsFor(err, "FILE_NOT_FOUND")
			var at *fs.PathError
			s.that(errors.As(err, &at) && at.Path == "nope", "the error names the path")
		}
		err := sandbox.FSAt("/etc").WriteFile("passwd", []byte("x"), 0o644)
		s.fails(err, drydock.ErrPermissionDenied)
		s.fails(err, fs.ErrPermission)
		_, err = sandbox.FSAt("/").ReadFile("etc")
		s.fails(err, drydock.ErrConflict)
		_, err = fsys.Open("/etc/passwd")
		s.fails(err, fs.ErrInvalid)
	},
}

// counted has so many bytes; each mebibyte has its number.
type counted struct{ at, size int }

func (c *counted) Read(p []byte) (int, error) {
	n := min(len(p), c.size-c.at)
	for i := range n {
		p[i] = byte((c.at + i) / mebibyte)
	}
	c.at += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
