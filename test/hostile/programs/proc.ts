import { inGVisor, KERNEL_OF_ITS_OWN, type Program, refused } from './program.ts';

const write = (path: string, text: string) => `os.write(os.open('${path}', os.O_WRONLY), b'${text}')`;
const read = (path: string) => `open('${path}', 'rb').read(1)`;
/** Prints the files below that can be opened for writing, if they are anybody else's. */
const walk = (top: string) => `
for top, names, files in os.walk('${top}'):
    for name in files:
        path = os.path.join(top, name)
        try: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)); print(path)
        except OSError: pass
print('tried')`;

export const PROC: Program[] = [
  refused('the magic key', 'read-only mounts', write('/proc/sysrq-trigger', 'b'), write('/proc/sys/kernel/sysrq', '1')),
  refused(
    'programs that the kernel starts',
    'read-only mounts',
    write('/proc/sys/kernel/core_pattern', '|/tmp/x'),
    write('/proc/sys/kernel/modprobe', '/tmp/x'),
    write('/sys/kernel/uevent_helper', '/tmp/x'),
    write('/proc/sys/fs/binfmt_misc/register', ':x:M::x::/tmp/x:'),
  ),
  refused(
    'settings of the kernel',
    'read-only mounts',
    write('/proc/sys/vm/overcommit_memory', '1'),
    write('/proc/sys/vm/drop_caches', '3'),
    write('/proc/sys/kernel/pid_max', '400'),
    write('/proc/sys/kernel/hostname', 'x'),
    write('/proc/sys/user/max_user_namespaces', '9999'),
  ),
  { name: 'every setting of the kernel', stoppedBy: 'read-only mounts', source: walk('/proc/sys'), says: /^tried$/ },
  {
    name: 'every file of /sys',
    stoppedBy: 'read-only mounts',
    source: walk('/sys'),
    says: /^tried$/,
    limits: { cpuTime: { seconds: 8, nanos: 0 } },
  },
  refused(
    'the kernel’s memory',
    'file rights',
    'os.pread(os.open("/proc/kcore", 0), 10, 0) or checked(-1)',
    read('/proc/kpagecount'),
    read('/dev/mem'),
    read('/proc/1/pagemap'),
    read('/proc/vmallocinfo'),
    read('/proc/slabinfo'),
  ),
  {
    ...refused(
      'the kernel’s log',
      'capabilities',
      "os.read(os.open('/proc/kmsg', os.O_NONBLOCK), 1)",
      "os.read(os.open('/dev/kmsg', os.O_NONBLOCK), 1)",
      "call('syslog', 3, ROOM, 100)",
      "call('syslog', 5, NULL, 0)",
    ),
    elsewhere: inGVisor(KERNEL_OF_ITS_OWN, { says: /^(refused ENOENT\n){2}got 100\nrefused ENOSYS$/ }),
  },
  {
    name: 'addresses of the kernel',
    stoppedBy: 'capabilities',
    source:
      "try: print({line.split()[0] for line in open('/proc/kallsyms')} - {'0000000000000000'} and 'addresses' or 'zeros')\nexcept OSError: print('zeros')",
    says: /^zeros$/,
  },
  refused(
    'the memory of the first process',
    'user namespace',
    read('/proc/1/mem'),
    "open('/proc/1/mem', 'r+b')",
    read('/proc/1/environ'),
    read('/proc/1/maps'),
    read('/proc/1/auxv'),
    read('/proc/1/syscall'),
    read('/proc/1/stack'),
  ),
  refused(
    'the files of the first process',
    'user namespace',
    "os.listdir('/proc/1/root/')",
    "os.listdir('/proc/1/cwd/')",
    "os.readlink('/proc/1/exe')",
    "open('/proc/1/exe', 'wb')",
    "os.listdir('/proc/1/map_files')",
  ),
  refused(
    'the first process’s score',
    'user namespace',
    write('/proc/1/oom_score_adj', '1000'),
    write('/proc/1/oom_adj', '15'),
    write('/proc/1/coredump_filter', '0'),
    write('/proc/1/sched', '0'),
    write('/proc/1/timerslack_ns', '0'),
  ),
  refused(
    'other maps of its users',
    'user namespace',
    write('/proc/self/uid_map', '0 0 1'),
    write('/proc/self/gid_map', '0 0 1'),
    write('/proc/1/uid_map', '0 0 1'),
  ),
  refused(
    'its control groups',
    'read-only mounts',
    "[open(os.path.join(t, n), 'w') for t, _, ns in os.walk('/sys/fs/cgroup') for n in ns if n in ('memory.limit_in_bytes', 'memory.max', 'pids.max', 'release_agent', 'cgroup.procs', 'tasks')] or checked(libc.umount(b''))",
    "os.mkdir('/sys/fs/cgroup/x')",
    "os.mkdir('/sys/fs/cgroup/memory/x')",
    write('/sys/fs/cgroup/memory/memory.limit_in_bytes', '-1'),
    write('/sys/fs/cgroup/pids/pids.max', 'max'),
  ),
  refused(
    'its own program overwritten',
    'read-only mounts',
    "open('/proc/self/exe', 'r+b')",
    "open('/usr/bin/python3', 'r+b')",
    "os.remove('/usr/bin/python3')",
  ),
  {
    name: 'other processes that it sees',
    stoppedBy: 'PID namespace',
    source:
      "for pid in filter(str.isdigit, os.listdir('/proc')):\n  for name in ('mem', 'environ', 'maps', 'stack', 'syscall', 'auxv'):\n    if int(pid) != os.getpid():\n      try: open(f'/proc/{pid}/{name}', 'rb').read(1) and print(pid, name)\n      except OSError: pass\nprint('tried')",
    says: /^tried$/,
  },
  {
    name: 'secrets in its environment',
    stoppedBy: 'end of the program',
    source:
      "print([n for n in os.environ if any(w in n for w in ('DATABASE', 'NATS', 'TLS', 'SECRET', 'TOKEN', 'KUBE', 'DOCKER', 'PASS', 'API_KEY'))])",
    says: /^\[\]$/,
  },
];
