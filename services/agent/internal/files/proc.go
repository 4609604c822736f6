package files

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const procDirectory = "/proc/"

// isOfAgent says whether a descriptor leads to a file in /proc about the agent. Threads of one process may read each other's
// there whatever their user is, so that the agent working as the user could tell what a program may not know.
func isOfAgent(fd int) bool {
	path, inside := procPath(fd)
	if !inside {
		return false
	}
	name, known := strings.CutPrefix(path+"/", procDirectory)
	id, _, _ := strings.Cut(name, "/")
	if _, err := strconv.Atoi(id); err != nil {
		// A /proc at another place is not for programs.
		return !known
	}
	// Any thread's id is a name of its process.
	return unix.Access(procDirectory+"self/task/"+id, unix.F_OK) == nil
}

// procPath says whether a descriptor leads into /proc, and where. Kernels that do not tell the file system of a descriptor that
// is only a place, as gVisor's may, still tell its path.
func procPath(fd int) (path string, inside bool) {
	var system unix.Statfs_t
	err := unix.Fstatfs(fd, &system)
	if err == nil && system.Type != unix.PROC_SUPER_MAGIC {
		return "", false
	}
	path, failed := os.Readlink(procDirectory + "self/fd/" + strconv.Itoa(fd))
	if err == nil || failed != nil {
		return path, true
	}
	return path, strings.HasPrefix(path+"/", procDirectory)
}
