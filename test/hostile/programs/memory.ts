import { exhausting, inGVisor, type Program, refused } from './program.ts';

/** Time enough on a busy machine. */
const wallTime = { seconds: 30, nanos: 0 };
const exceeded = { ends: ['MEMORY_EXCEEDED'], stoppedBy: 'memory', limits: { wallTime } } as const;
/** What the kernel keeps for a program is counted as its memory, where a limit of its own does not come first. */
const counted = {
  ends: ['ACCEPTED', 'MEMORY_EXCEEDED', 'WALL_TIME_EXCEEDED'],
  limits: { wallTime: { seconds: 3, nanos: 0 } },
  says: /^(\d+, then E(AGAIN|MFILE|NFILE|NOSPC|NOMEM|NOBUFS|TOOMANYREFS|PERM))?$/,
} as const;
const MAP_ALL = 'm = mmap.mmap(-1, 1 << 30, flags=FLAGS)\nfor at in range(0, 1 << 30, 4096): m[at] = 1';

export const MEMORY: Program[] = [
  {
    name: 'memory without end',
    source: 'kept = []\nwhile True: kept.append(bytearray(10_000_000))',
    ...exceeded,
  },
  {
    name: 'memory in a child that its parent survives',
    source: 'fork(lambda: [bytearray(1 << 29)]); os.wait(); print("fine")',
    ...exceeded,
  },
  {
    name: 'memory of many children together',
    source: 'for _ in range(20): fork(lambda: (bytearray(b"x") * (32 << 20), hold()))\nos.wait(); raise SystemExit(1)',
    ...exceeded,
    ends: ['MEMORY_EXCEEDED', 'WALL_TIME_EXCEEDED'],
    limits: { wallTime: { seconds: 5, nanos: 0 } },
  },
  { name: 'shared memory', source: MAP_ALL.replace('FLAGS', 'mmap.MAP_SHARED | mmap.MAP_ANONYMOUS'), ...exceeded },
  {
    name: 'private memory of one mapping',
    source: MAP_ALL.replace('FLAGS', 'mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS'),
    ...exceeded,
  },
  {
    name: 'files in memory',
    source: "fd = os.memfd_create('x')\nwhile True: os.write(fd, bytes(1 << 20))",
    ...exceeded,
    limits: { wallTime, fileBytes: 1 << 30 },
  },
  {
    name: 'shared memory of System V',
    source: `
libc.shmat.restype = ctypes.c_void_p
for n in range(64):
    segment = checked(libc.shmget(0, 16 << 20, 0o1600))
    ctypes.memset(libc.shmat(segment, None, 0), 1, 16 << 20)
    libc.shmctl(segment, 0, None)`,
    ...exceeded,
  },
  {
    name: 'page tables',
    source:
      'm = mmap.mmap(-1, 1 << 42, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)\nfor at in range(0, 1 << 42, 1 << 21): m[at]',
    ...exceeded,
  },
  {
    name: 'memory with a better score than the agent’s',
    source:
      "attempt(lambda: open('/proc/self/oom_score_adj', 'w').write('-1000'))\nkept = []\nwhile True: kept.append(bytearray(10_000_000))",
    ...exceeded,
  },
  {
    name: 'stack without end',
    source:
      'sys.setrecursionlimit(1 << 30)\nthreading.stack_size(1 << 29)\ndef deeper(n): return deeper(n + 1) + sorted([n], key=deeper)[0]\nt = threading.Thread(target=deeper, args=(0,)); t.start(); t.join()',
    stoppedBy: 'memory',
    ends: ['MEMORY_EXCEEDED', 'RUNTIME_ERROR'],
  },
  {
    name: 'locked memory',
    stoppedBy: 'locked memory',
    source:
      'm = mmap.mmap(-1, 64 << 20)\naddress = ctypes.addressof(ctypes.c_char.from_buffer(m))\nattempt(lambda: checked(libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(64 << 20))))',
    says: /^refused E(NOMEM|PERM)$/,
  },
  {
    name: 'a shared memory file system that is full',
    stoppedBy: 'disk',
    source: "f = open('/dev/shm/x', 'wb', 0)\nexhaust(lambda: f.write(bytes(1 << 20)))",
    says: /^\d+, then ENOSPC$/,
    elsewhere: inGVisor('its size is that of the sandbox’s memory there, and a file has a size', {
      says: /^\d+, then E(NOSPC|FBIG)$/,
    }),
  },
  {
    name: 'page cache',
    stoppedBy: 'memory',
    source: `
read = 0
for top, _, names in os.walk('/usr/lib'):
    for name in names:
        try: read += sum(map(len, iter(lambda f=open(os.path.join(top, name), 'rb', 0): f.read(1 << 16), b'')))
        except (OSError, MemoryError): pass
        if read > 300 << 20: print('read it'); sys.exit()`,
    says: /^read it$/,
    elsewhere: Object.fromEntries(
      (['pod', 'live pod', 'gVisor', 'live gVisor'] as const).map((place) => [
        place,
        { says: /^(read it)?$/, because: 'the image of Python, which the cluster of the tests has alone, is smaller' },
      ]),
    ),
  },
  {
    ...exhausting(
      'pipes that are full',
      'descriptors',
      'full_pipe()',
      'def full_pipe():\n    r, w = os.pipe(); os.set_blocking(w, False); os.write(w, bytes(65536)); return r, w',
    ),
    ...counted,
  },
  refused('a pipe that is too large', 'file rights', 'fcntl.fcntl(os.pipe()[1], 1031, 1 << 24)'),
  {
    ...exhausting(
      'pipes that are large',
      'descriptors',
      'large_pipe()',
      'def large_pipe():\n    r, w = os.pipe(); fcntl.fcntl(w, 1031, 1 << 20); os.set_blocking(w, False); os.write(w, bytes(1 << 20)); return r, w',
    ),
    ...counted,
  },
  {
    ...exhausting(
      'sockets that are full',
      'descriptors',
      'full_pair()',
      `
def full_pair():
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in pair:
        end.setblocking(False)
        try:
            while True: end.send(bytes(8192))
        except BlockingIOError: pass
    return pair`,
    ),
    ...counted,
  },
  {
    ...exhausting(
      'watches of epoll',
      'descriptors',
      'watch()',
      `
import select
fds = [os.eventfd(0) for _ in range(100)]
def watch():
    e = select.epoll()
    for fd in fds: e.register(fd, 1)
    return e`,
    ),
    ...counted,
  },
  exhausting('instances of inotify', 'descriptors', 'checked(libc.inotify_init1(0))'),
  {
    ...exhausting(
      'watches of inotify',
      'descriptors',
      'watch()',
      `
fd = checked(libc.inotify_init1(0))
os.chdir('/tmp'); n = 0
def watch():
    global n; n += 1
    os.mkdir(str(n)); return checked(libc.inotify_add_watch(fd, str(n).encode(), 0xfff))`,
    ),
    ...counted,
  },
  {
    ...exhausting(
      'timers',
      'queued signals',
      'timer()',
      'def timer():\n    t = ctypes.c_void_p(); checked(libc.timer_create(1, None, ctypes.byref(t))); return t',
    ),
    ...counted,
  },
  {
    ...exhausting(
      'signals that wait',
      'queued signals',
      'queue()',
      'signal.pthread_sigmask(signal.SIG_BLOCK, range(34, 60))\ndef queue(): checked(libc.sigqueue(os.getpid(), 40, NULL))',
    ),
    ...counted,
  },
  {
    ...exhausting(
      'descriptors in flight',
      'descriptors',
      'send()',
      `
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
fds = [os.dup(0) for _ in range(200)]
pairs = []
def send():
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    socket.send_fds(pair[0], [b'x'], [fd for fd in fds] + [pair[1].fileno()]); pair[0].close(); pair[1].close()`,
    ),
    ...counted,
  },
  {
    ...exhausting(
      'message queues',
      'descriptors',
      'queue()',
      `
n = 0
rt = ctypes.CDLL(None, use_errno=True)
def queue():
    global n; n += 1
    return checked(rt.mq_open(b'/q%d' % n, os.O_CREAT | os.O_RDWR, 0o600, None))`,
    ),
    ...counted,
  },
  {
    ...exhausting(
      'message queues of System V',
      'IPC namespace',
      'queue()',
      'def queue(): return checked(libc.msgget(0, 0o600))',
    ),
    ...counted,
  },
  {
    ...exhausting(
      'locks of files',
      'memory',
      'lock()',
      "f = open('/tmp/f', 'wb'); n = 0\ndef lock():\n    global n; n += 2\n    fcntl.lockf(f, fcntl.LOCK_EX, 1, n)",
    ),
    ends: ['CPU_TIME_EXCEEDED', 'WALL_TIME_EXCEEDED', 'MEMORY_EXCEEDED'],
    says: /^/,
    limits: { cpuTime: { seconds: 0, nanos: 3e8 }, wallTime: { seconds: 2, nanos: 0 } },
  },
  {
    name: 'arguments without end',
    stoppedBy: 'arguments',
    source:
      "attempt(lambda: os.execv('/bin/true', ['true'] + ['x' * 130_000] * 100))\nattempt(lambda: os.execv('/bin/true', ['true', 'x' * 1_000_000]))",
    says: /^(refused E(2BIG|NOMEM)\n?){2}$/,
    elsewhere: inGVisor('its kernel says otherwise that they are too long', {
      says: /^(refused E(2BIG|NOMEM|NAMETOOLONG)\n?){2}$/,
    }),
  },
];
