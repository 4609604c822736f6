package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cell/wire"
)

const (
	hostName = "sandbox"
	home     = "/home/user"
	nowhere  = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
)

// Files that tell about the machine or the engine, as engines mask them. Not every kernel has all.
var (
	maskedFiles = []string{
		"/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/timer_list",
		"/proc/timer_stats",
	}
	maskedDirectories = []string{"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/devices/virtual/powercap", "/sys/firmware"}
)

// furnish makes the parts that are the same in every cell. It returns a writable /proc, which nothing else in the cell reaches.
func furnish(hidden []string) (proc int, err error) {
	// The sandbox's whole tree becomes read-only at once. The mounts that follow are the cell's own.
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &attributes); err != nil {
		return 0, fmt.Errorf("a read-only root, which takes Linux 5.12 and a filter that allows mount_setattr: %w", err)
	}
	if proc, err = mountProc(); err != nil {
		return 0, fmt.Errorf("an own /proc, which takes one without masks outside: %w", err)
	}
	if err := hide(hidden); err != nil {
		return 0, err
	}
	if err := unix.Sethostname([]byte(hostName)); err != nil {
		return 0, fmt.Errorf("a host name: %w", err)
	}
	if err := raiseLoopback(); err != nil {
		return 0, fmt.Errorf("a loopback interface: %w", err)
	}
	return proc, nil
}

// mountProc mounts a /proc of the cell's processes, in which each user sees only their own, and a read-only bind mount over it.
func mountProc() (proc int, err error) {
	if err := unix.Mount("proc", "/proc", "proc", nowhere, "hidepid=invisible"); err != nil {
		return 0, err
	}
	if proc, err = unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return 0, err
	}
	err = unix.Mount("/proc", "/proc", "", unix.MS_BIND, "")
	if err == nil {
		err = unix.Mount("", "/proc", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|nowhere, "")
	}
	return proc, err
}

// hide mounts empty files and directories over paths that programs must not see.
func hide(hidden []string) error {
	empty := ""
	for _, directory := range append(hidden, maskedDirectories...) {
		var err error
		if empty == "" {
			err = unix.Mount("tmpfs", directory, "tmpfs", unix.MS_RDONLY|nowhere, "size=4k,mode=0555")
		} else {
			err = unix.Mount(empty, directory, "", unix.MS_BIND, "")
		}
		switch {
		case err == nil:
			empty = directory
		case !errors.Is(err, unix.ENOENT):
			return fmt.Errorf("hiding %s: %w", directory, err)
		}
	}
	for _, file := range maskedFiles {
		if err := unix.Mount(os.DevNull, file, "", unix.MS_BIND, ""); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("hiding %s: %w", file, err)
		}
	}
	return nil
}

// mountOwn mounts the file systems that programs can write to, and returns their working directory.
func mountOwn(sizes wire.Sizes) (program int, err error) {
	for _, own := range []struct {
		directory, kind, options string
		flags                    uintptr
		bytes                    int64
		optional                 bool
	}{
		// Room for the home and /tmp together.
		{home, "tmpfs", "mode=0777", unix.MS_NOSUID | unix.MS_NODEV, sizes.Disk, false},
		{"/dev/shm", "tmpfs", "mode=1777", nowhere, sizes.SharedMemory, true},
		{"/dev/mqueue", "mqueue", "", nowhere, 0, true},
	} {
		options := own.options
		if own.kind == "tmpfs" {
			options += ",size=" + strconv.FormatInt(own.bytes, 10)
		}
		err := unix.Mount(own.kind, own.directory, own.kind, own.flags, options)
		if err != nil && !(own.optional && errors.Is(err, unix.ENOENT)) {
			return 0, fmt.Errorf("an own %s: %w", own.directory, err)
		}
	}
	if err := shareDisk(); err != nil {
		return 0, fmt.Errorf("the home and /tmp: %w", err)
	}
	defer actAs(userID, groupID)()
	if err := unix.Mkdir(wire.ProgramDirectory, 0o755); err != nil {
		return 0, fmt.Errorf("%s: %w", wire.ProgramDirectory, err)
	}
	return unix.Open(wire.ProgramDirectory, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// shareDisk makes directories of one file system the home and /tmp. Nobody reaches the file system's own root afterwards.
func shareDisk() error {
	restore := actAs(userID, groupID)
	err := unix.Mkdir(home+"/home", 0o755)
	restore()
	return errors.Join(
		err, unix.Mkdir(home+"/tmp", 0o777), unix.Chmod(home+"/tmp", 0o777|unix.S_ISVTX),
		unix.Mount(home+"/tmp", "/tmp", "", unix.MS_BIND, ""),
		unix.Mount(home+"/home", home, "", unix.MS_BIND, ""),
	)
}

func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
