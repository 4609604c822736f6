package cell_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

// leaver tries to leave something behind wherever that could be, and then lives on hidden.
const leaver = `
import ctypes, os, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
for top, directories, _ in os.walk('/'):
    if top.startswith(('/proc', '/sys')): directories.clear(); continue
    try: open(os.path.join(top, 'drydock-left-behind'), 'w').write('x')
    except OSError: pass
print('shm', libc.shmget(0x5eed, 4096, 0o1666), 'sem', libc.semget(0x5eed, 1, 0o1666), 'msg', libc.msgget(0x5eed, 0o1666))
rt = ctypes.CDLL('librt.so.1', use_errno=True)
rt.mq_open(b'/drydock-left', os.O_CREAT | os.O_RDWR, 0o666, None)
open('/dev/shm/drydock-left', 'w').write('x')
abstract = socket.socket(socket.AF_UNIX); abstract.bind('\0left'); abstract.listen()
named = socket.socket(socket.AF_UNIX); named.bind('/tmp/drydock-left.sock'); named.listen()
tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); tcp.bind(('127.0.0.1', 4242)); tcp.listen()
client = socket.create_connection(('127.0.0.1', 4242))
libc.sethostname(b'left', 4)
libc.syscall(248, b'user', b'left', b'x', 1, -3)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.close(fd)
        if os.fork() == 0: os.kill(os.getpid(), 19)
        time.sleep(1000)
    os._exit(0)
os.wait()
print('left')`

// finder prints the leftovers that it finds.
const finder = `
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
for top, directories, files in os.walk('/'):
    if top.startswith(('/proc', '/sys')): directories.clear(); continue
    for file in files:
        if file.startswith('drydock-left'): print('file', os.path.join(top, file))
for call in (libc.shmget(0x5eed, 0, 0), libc.semget(0x5eed, 0, 0), libc.msgget(0x5eed, 0)):
    if call != -1: print('System V', call)
for kind in ('shm', 'sem', 'msg'):
    if len(open('/proc/sysvipc/' + kind).readlines()) > 1: print(kind)
rt = ctypes.CDLL('librt.so.1', use_errno=True)
if rt.mq_open(b'/drydock-left', os.O_RDWR) != -1: print('message queue')
for name in ('\0left', '/tmp/drydock-left.sock'):
    try: socket.socket(socket.AF_UNIX).connect(name); print('socket', repr(name))
    except OSError: pass
try: socket.create_connection(('127.0.0.1', 4242)); print('listener')
except OSError: pass
for file in ('/proc/net/tcp', '/proc/net/unix'):
    if len(open(file).readlines()) > 1: print(file)
if 'left' in open('/proc/keys').read() + socket.gethostname(): print('key or host name')
if [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]: print('process')
print('looked')`

func TestNothingOfACellIsFoundInTheNext(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true, Processes: 64})
	for range 3 {
		c := s.OpenCell()
		if r := c.Run(&pb.StartRequest{Command: sandboxtest.Python(finder)}); r.Stdout != "looked\n" {
			t.Errorf("found: %s %s", r.Stdout, r.Stderr)
		}
		if r := c.Run(&pb.StartRequest{Command: sandboxtest.Python(leaver)}); !strings.HasSuffix(r.Stdout, "left\n") || strings.Contains(r.Stdout, "-1") {
			t.Fatalf("%+v", r)
		}
		// In the same cell all but the processes is there.
		r := c.Run(&pb.StartRequest{Command: sandboxtest.Python(finder)})
		if !strings.Contains(r.Stdout, "/dev/shm/drydock-left") || !strings.Contains(r.Stdout, "message queue") || !strings.Contains(r.Stdout, "System V") {
			t.Errorf("the finder finds nothing: %s %s", r.Stdout, r.Stderr)
		}
		if strings.Contains(r.Stdout, "process") || strings.Contains(r.Stdout, "listener") {
			t.Errorf("runs on: %s", r.Stdout)
		}
		for line := range strings.Lines(r.Stdout) {
			if path, found := strings.CutPrefix(strings.TrimSpace(line), "file "); found && !inCellsOwn(path) {
				t.Errorf("could write %s", path)
			}
		}
		c.End()
	}
}

func inCellsOwn(path string) bool {
	for _, own := range []string{"/home/user/", "/tmp/", "/dev/shm/", "/dev/mqueue/"} {
		if strings.HasPrefix(path, own) {
			return true
		}
	}
	return false
}

// attempt runs Python with the C library at hand, which prints "refused" and the error's number, or "got" and the value.
func attempt(c *sandboxtest.Cell, expression string) string {
	c.T.Helper()
	r := c.Run(&pb.StartRequest{Command: sandboxtest.Python(`
import ctypes, os, platform, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
NULL = ctypes.c_void_p(0)
def call(x86, arm, *arguments):
    number = x86 if platform.machine() == 'x86_64' else arm
    result = libc.syscall(number, *[a if isinstance(a, (bytes, ctypes.Array, ctypes.c_void_p, ctypes.c_ulong)) else ctypes.c_long(a) for a in arguments])
    if result == -1: raise OSError(ctypes.get_errno(), '')
    return result
try: print('got', ` + expression + `)
except OSError as error: print('refused', error.errno)`)})
	return strings.TrimSpace(r.Stdout + r.Stderr)
}

func TestTheFirstProcessIsTheOwner(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	ids := strings.Repeat(fmt.Sprintf("\t%d", sandboxtest.OwnerID), 4) + "\n"
	for _, first := range firstProcesses(s) {
		status, err := os.ReadFile("/proc/" + first + "/status")
		sandboxtest.Must(t, err)
		score, err := os.ReadFile("/proc/" + first + "/oom_score_adj")
		sandboxtest.Must(t, err)
		if !strings.Contains(string(status), "Uid:"+ids+"Gid:"+ids) || string(score) != "900\n" {
			t.Errorf("%s %s", status, score)
		}
	}
	if r := c.Sh("id -u; id -g"); r.Stdout != "1000\n1000\n" {
		t.Errorf("%+v", r)
	}
}

func TestWhatACellForbids(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	const notPermitted, noFile, readOnly, noCall, noFamily = 1, 2, 30, 38, 97
	for _, test := range []struct {
		name, expression string
		number           int
	}{
		{"unshare user", "call(272, 97, 0x10000000)", notPermitted},
		{"unshare mount", "call(272, 97, 0x00020000)", notPermitted},
		{"unshare files, which makes no namespace", "call(272, 97, 0x400)", notPermitted},
		{"clone into a user namespace", "call(56, 220, 0x10000000 | 17, 0, 0, 0, 0)", notPermitted},
		{"clone into a network namespace", "call(56, 220, 0x40000000 | 17, 0, 0, 0, 0)", notPermitted},
		{"clone3", "call(435, 435, NULL, 0)", noCall},
		{"setns", "call(308, 268, os.open('/proc/self/ns/net', os.O_RDONLY), 0)", notPermitted},
		{"mount", "call(165, 40, b'tmpfs', b'/tmp', b'tmpfs', 0, NULL)", notPermitted},
		{"remount", "call(165, 40, NULL, b'/', NULL, 0x1020, NULL)", notPermitted},
		{"umount", "call(166, 39, b'/run', 2)", notPermitted},
		{"pivot_root", "call(155, 41, b'/tmp', b'/tmp')", notPermitted},
		{"chroot", "os.chroot('/tmp')", notPermitted},
		{"move_mount", "call(429, 429, -100, b'/tmp', -100, b'/home', 0)", notPermitted},
		{"open_tree", "call(428, 428, -100, b'/', 1)", notPermitted},
		{"mount_setattr", "call(442, 442, -100, b'/', 0, NULL, 0)", notPermitted},
		{"fsopen", "call(430, 430, b'tmpfs', 0)", notPermitted},
		{"keyctl", "call(250, 219, 0, -3, 1, 0, 0)", notPermitted},
		{"add_key", "call(248, 217, b'user', b'a', b'b', 1, -3)", notPermitted},
		{"request_key", "call(249, 218, b'user', b'a', NULL, -3)", notPermitted},
		{"bpf", "call(321, 280, 0, ctypes.create_string_buffer(64), 64)", notPermitted},
		{"io_uring", "call(425, 425, 8, ctypes.create_string_buffer(120))", notPermitted},
		{"userfaultfd", "call(323, 282, 1)", notPermitted},
		{"memfd_secret", "call(447, 447, 0)", notPermitted},
		{"perf_event_open", "call(298, 241, ctypes.create_string_buffer(128), 0, -1, -1, 0)", notPermitted},
		{"open_by_handle_at", "call(304, 265, -100, ctypes.create_string_buffer(128), 0)", notPermitted},
		{"kexec", "call(246, 104, 0, 0, NULL, 0)", notPermitted},
		{"a module", "call(175, 105, ctypes.create_string_buffer(8), 8, b'')", notPermitted},
		{"a raw socket", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", notPermitted},
		{"a raw socket of version 6", "socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)", notPermitted},
		{"a packet socket", "socket.socket(17, socket.SOCK_RAW, 0)", noFamily},
		{"a vsock", "socket.socket(40, socket.SOCK_STREAM)", noFamily},
		{"a crypto socket", "socket.socket(38, socket.SOCK_SEQPACKET)", noFamily},
		{"the audit's netlink", "socket.socket(16, socket.SOCK_RAW, 9)", notPermitted},
		{"a pair of vsocks", "socket.socketpair(40, socket.SOCK_STREAM)", noFamily},
		{"another host name", "libc.sethostname(b'a', 1) and call(170, 161, b'a', 1)", notPermitted},
		{"root's id", "os.setuid(0)", notPermitted},
		{"root's group", "os.setgid(0)", notPermitted},
		{"other groups", "os.setgroups([0])", notPermitted},
		{"tracing the first process", "call(101, 117, 16, 1, 0, 0)", notPermitted},
		{"seizing the first process", "call(101, 117, 0x4206, 1, 0, 0)", notPermitted},
		{"reading the first process's memory", "call(310, 270, 1, struct.pack('QQ', id(0), 8), 1, struct.pack('QQ', 0x400000, 8), 1, 0)", notPermitted},
		{"a descriptor of the first process", "call(438, 438, os.pidfd_open(1), 3, 0)", notPermitted},
		{"killing the first process", "os.kill(1, 9)", notPermitted},
		{"signalling the first process", "os.kill(1, 15)", notPermitted},
		{"limits of the first process", "call(302, 261, 1, 7, NULL, ctypes.create_string_buffer(16))", notPermitted},
		{"the first process in /proc", "os.listdir('/proc/1')", noFile},
		{"the first process's root", "os.listdir('/proc/1/root/run')", noFile},
		{"a system control", "open('/proc/sys/kernel/hostname', 'w')", readOnly},
		{"an own control in /proc", "open('/proc/self/oom_score_adj', 'w')", readOnly},
		{"a device", "os.mknod('/tmp/device', 0o600 | 0x6000, os.makedev(8, 0))", notPermitted},
	} {
		if got := attempt(c, test.expression); got != fmt.Sprintf("refused %d", test.number) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
	c.End()
	s.CellWorks()
}

func TestWhatACellShows(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	r := c.Sh("cat /proc/self/status; ls /run/drydock " + filepath.Dir(s.Socket) + "; ls -A /proc/acpi /proc/scsi /sys/firmware; cat /proc/interrupts /proc/keys /proc/timer_list /proc/kcore /proc/sched_debug | wc -c; ls -d /proc/[0-9]*; echo $PPID")
	for _, expected := range []string{
		"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n",
		"Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n", "Groups:\t \n", "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
		"\n1\n",
	} {
		if !strings.Contains(r.Stdout, expected) {
			t.Errorf("no %q in %s", expected, r.Stdout)
		}
	}
	for _, forbidden := range []string{"agent", "cell\n", "/proc/1\n"} {
		if strings.Contains(r.Stdout, forbidden) {
			t.Errorf("%q in %s", forbidden, r.Stdout)
		}
	}
	// The writable file systems and their sizes.
	r = c.Sh(`awk '$4 ~ /^rw/ && $2 !~ /^.dev.(pts|mqueue)/ { print $2, $3 }' /proc/mounts | sort; df -k --output=size /home/user /tmp /dev/shm | tail -n 3 | tr -d ' '`)
	if r.Stdout != "/dev/shm tmpfs\n/home/user tmpfs\n/home/user tmpfs\n/proc proc\n/tmp tmpfs\n81920\n81920\n16384\n" {
		t.Errorf("%q %s", r.Stdout, r.Stderr)
	}
	if r := c.Sh("touch /proc/self/comm; touch /etc/x /usr/x /var/tmp/x /run/x /x /dev/x /home/x; head -c 100000000 /dev/zero > /tmp/big; stat -c %s /tmp/big"); strings.Count(strings.ToLower(r.Stderr), "read-only")+strings.Count(strings.ToLower(r.Stderr), "denied") < 7 || r.Stdout != "83886080\n" {
		t.Errorf("%+v", r)
	}
	// Loopback works, and leads nowhere else.
	if got := attempt(c, "socket.create_server(('127.0.0.1', 7)).getsockname() and socket.create_connection(('192.0.2.1', 80), 1)"); got != "refused 13" && got != "refused 101" {
		t.Error(got)
	}
	if got := attempt(c, "[n for _, n in socket.if_nameindex()]"); got != "got ['lo']" {
		t.Error(got)
	}
	c.End()
}

func TestACellReachesNothingOfTheAgents(t *testing.T) {
	for _, listen := range []bool{false, true} {
		s := sandboxtest.New(t, sandboxtest.Options{Cells: true, Listen: listen})
		c := s.OpenCell()
		for _, address := range []string{s.Socket, "\\0" + strings.TrimPrefix(s.Socket, "@"), "/run/drydock/link/agent.sock"} {
			if got := attempt(c, "socket.socket(socket.AF_UNIX).connect('"+address+"')"); !strings.HasPrefix(got, "refused") {
				t.Errorf("%q: %s", address, got)
			}
		}
		if got := attempt(c, "[os.readlink(f'/proc/self/fd/{fd}').split(':')[0] for fd in os.listdir('/proc/self/fd')[:-1]]"); got != "got ['/dev/null', 'pipe', 'pipe']" {
			t.Error(got)
		}
		c.End()
		s.CellWorks()
	}
}
