package files

import (
	"strings"

	"golang.org/x/sys/unix"
)

const maxLinks = 40

// openByStep is openat2 with RESOLVE_NO_MAGICLINKS for kernels without it, such as gVisor's: it resolves one name after the other
// and refuses every link in /proc.
func openByStep(directory int, path string, flags int, mode uint32) (int, error) {
	if path == "" {
		return -1, unix.ENOENT
	}
	if strings.ContainsRune(path, 0) {
		return -1, unix.EINVAL
	}
	start := "."
	if path[0] == '/' {
		start = "/"
	}
	at, err := openStep(directory, start)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(at) }()
	names := namesOf(path)
	for links := 0; len(names) > 0; {
		name, last := names[0], len(names) == 1
		names = names[1:]
		if last && flags&(unix.O_NOFOLLOW|unix.O_EXCL) != 0 {
			return unix.Openat(at, name, flags|unix.O_NOFOLLOW, mode)
		}
		next, err := openStep(at, name)
		if last && err == unix.ENOENT && flags&unix.O_CREAT != 0 {
			return unix.Openat(at, name, flags|unix.O_NOFOLLOW, mode)
		}
		if err != nil {
			return -1, err
		}
		target, err := targetOf(next)
		if err != nil || target == "" && last {
			_ = unix.Close(next)
			if err != nil {
				return -1, err
			}
			return unix.Openat(at, name, flags|unix.O_NOFOLLOW, mode)
		}
		if target == "" {
			_ = unix.Close(at)
			at = next
			continue
		}
		_ = unix.Close(next)
		if links++; links > maxLinks {
			return -1, unix.ELOOP
		}
		if target[0] == '/' {
			root, err := openStep(at, "/")
			if err != nil {
				return -1, err
			}
			_ = unix.Close(at)
			at = root
		}
		names = append(namesOf(target), names...)
	}
	return unix.Openat(at, ".", flags, mode)
}

func openStep(at int, name string) (int, error) {
	return unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// targetOf reads a link; empty if the descriptor is no link.
func targetOf(fd int) (string, error) {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil || info.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", err
	}
	if _, inside := procPath(fd); inside {
		return "", unix.ELOOP
	}
	target := make([]byte, unix.PathMax)
	count, err := unix.Readlinkat(fd, "", target)
	if err == nil && count == 0 {
		err = unix.ENOENT
	}
	return string(target[:max(count, 0)]), err
}

// namesOf splits a path. A slash at its end says that it is a directory, which a dot there says too.
func namesOf(path string) []string {
	names := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(names) > 0 && strings.HasSuffix(path, "/") {
		names = append(names, ".")
	}
	return names
}
