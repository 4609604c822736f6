package files

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const procDirectory = "/proc/"

// isOfAgent says whether a descriptor leads to a file in /proc about the agent. The kernel lets threads of one process read each
// other's files there whatever their ids, so the agent's user ids do not protect the agent.
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

// procPath says whether a descriptor leads into /proc, and where. A kernel that cannot tell the file system of an O_PATH
// descriptor, as gVisor's may, still tells its path.
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
