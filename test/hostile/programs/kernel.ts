import { inGVisor, inPods, KERNEL_OF_ITS_OWN, type Program, RUNTIMES_FILTER, refused, SHARED_USER } from './program.ts';

const STRUCT = 'ROOM';

/** What the kernel offers and no program is to have. */
export const KERNEL: Program[] = [
  refused('bpf', 'seccomp filter', `call('bpf', 0, ${STRUCT}, 64)`, `call('bpf', 5, ${STRUCT}, 128)`),
  refused(
    'perf_event_open',
    'seccomp filter',
    `call('perf_event_open', struct.pack('IIQ', 1, 112, 0) + bytes(96), 0, -1, -1, 0)`,
  ),
  {
    ...refused('io_uring', 'seccomp filter', `call('io_uring_setup', 8, ${STRUCT})`),
    elsewhere: inPods(RUNTIMES_FILTER, { says: /^got \d+$/ }),
  },
  refused('userfaultfd', 'seccomp filter', "call('userfaultfd', 0)", "os.open('/dev/userfaultfd', os.O_RDWR)"),
  refused(
    'another kernel',
    'capabilities',
    "call('kexec_load', 0, 0, NULL, 0)",
    "call('kexec_file_load', -1, -1, 0, NULL, 0)",
  ),
  {
    ...refused(
      'keys',
      'seccomp filter',
      "call('add_key', b'user', b'a', b'b', 1, -3)",
      "call('keyctl', 0, -3, 1, 0, 0)",
      "call('request_key', b'user', b'a', NULL, -3)",
    ),
    elsewhere: inGVisor(KERNEL_OF_ITS_OWN, { says: /^refused EACCES\ngot \d+\nrefused EACCES$/ }),
  },
  {
    ...refused(
      'segments of memory',
      'seccomp filter',
      `call('modify_ldt', 1, struct.pack('IIII', 0, 0, 0xfffff, 0x51), 16)`,
    ),
    says: /^refused E(PERM|NOSYS|INVAL)$/,
    elsewhere: inPods(RUNTIMES_FILTER, { says: /^got 0$/ }),
  },
  {
    ...refused('memory out of the kernel’s map', 'seccomp filter', "call('memfd_secret', 0)"),
    elsewhere: inPods(RUNTIMES_FILTER, { says: /^got \d+$/ }),
  },
  {
    name: 'another personality',
    stoppedBy: 'seccomp filter',
    source:
      'for flag in (0x0040000, 0x0400000, 0x0100000, 0x0001000):\n  attempt(lambda: checked(libc.personality(ctypes.c_ulong(flag))))',
    says: /^(refused E(PERM|INVAL|NOSYS)\n?){4}$/,
  },
  refused('swap', 'capabilities', "call('swapon', b'/tmp/x', 0)", "call('swapoff', b'/tmp/x')"),
  {
    ...refused(
      'a restart of the host',
      'capabilities',
      "call('reboot', 0xfee1dead, 672274793, 0x1234567, NULL)",
      "call('reboot', 0xfee1dead, 672274793, 0, NULL)",
    ),
  },
  refused(
    'the host’s clock',
    'capabilities',
    "call('settimeofday', struct.pack('qq', 0, 0), NULL)",
    "call('clock_settime', 0, struct.pack('qq', 0, 0))",
    "call('adjtimex', struct.pack('Iqqqqi', 1, 1, 0, 0, 0, 0) + bytes(200))",
  ),
  refused(
    'ports of the host',
    'capabilities',
    "call('iopl', 3)",
    "call('ioperm', 0x70, 2, 1)",
    "os.open('/dev/port', os.O_RDWR)",
  ),
  refused(
    'modules',
    'capabilities',
    "call('init_module', ROOM, 8, b'')",
    "call('finit_module', os.open('/bin/true', 0), b'', 0)",
    "call('delete_module', b'overlay', 0)",
  ),
  refused('accounting of processes', 'capabilities', "call('acct', b'/tmp/x')"),
  {
    ...refused('quotas of disks', 'capabilities', "call('quotactl', 0x800002 << 8, b'/dev/vda', 0, ROOM)"),
    says: /^refused E(PERM|NOSYS|NOTBLK|NOENT|NODEV)$/,
  },
  refused(
    'the memory of the first process by a call',
    'user namespace',
    "call('process_vm_readv', 1, struct.pack('QQ', ctypes.addressof(ROOM), 8), 1, struct.pack('QQ', 0x400000, 8), 1, 0)",
    "call('process_vm_writev', 1, struct.pack('QQ', ctypes.addressof(ROOM), 8), 1, struct.pack('QQ', 0x400000, 8), 1, 0)",
  ),
  {
    ...refused(
      'limits of the first process',
      'user namespace',
      "call('prlimit64', 1, 7, struct.pack('QQ', 1, 1), NULL)",
      "call('prlimit64', 1, 7, NULL, ROOM)",
    ),
    elsewhere: {
      pod: { says: /^got 0\ngot 0$/, because: SHARED_USER },
      'live pod': { because: `${SHARED_USER}, and without descriptors it serves its own tenant no more` },
      gVisor: { says: /^got 0\ngot 0$/, because: SHARED_USER },
      'live gVisor': { because: `${SHARED_USER}, and without descriptors it serves its own tenant no more` },
    },
  },
  refused(
    'comparisons with the first process',
    'user namespace',
    "call('kcmp', 1, os.getpid(), 0, 0, 0)",
    "call('move_pages', 1, 0, NULL, NULL, NULL, 0)",
  ),
  refused(
    'advice for the first process’s memory',
    'user namespace',
    "call('process_madvise', os.pidfd_open(1), struct.pack('QQ', 0x400000, 4096), 1, 21, 0)",
  ),
  refused(
    'other names of the host',
    'seccomp filter',
    "call('sethostname', b'x', 1)",
    "call('setdomainname', b'x', 1)",
  ),
  refused('its terminal hung up', 'capabilities', "call('vhangup')"),
  {
    ...refused(
      'calls that nobody needs',
      'seccomp filter',
      "call('uselib', b'/bin/true')",
      "call('lookup_dcookie', 1, ROOM, 100)",
      "call('nfsservctl', 0, NULL, NULL)",
    ),
  },
  refused('watching every file', 'capabilities', "call('fanotify_init', 0, 0)"),
  refused(
    'root',
    'capabilities',
    'os.setuid(0)',
    'os.setgid(0)',
    'os.setgroups([0])',
    'os.setresuid(0, 0, 0)',
    'os.listdir("/root")',
  ),
  refused(
    'capabilities',
    'capabilities',
    'checked(libc.prctl(47, 2, 21, 0, 0))',
    'checked(libc.prctl(24, 21, 0, 0, 0))',
    "checked(libc.capset(struct.pack('II', 0x20080522, 0), struct.pack('IIIIII', *[0xffffffff] * 6)))",
  ),
  {
    name: 'new privileges',
    stoppedBy: 'capabilities',
    source: 'attempt(lambda: checked(libc.prctl(38, 0, 0, 0, 0)))\nprint(libc.prctl(39, 0, 0, 0, 0))',
    says: /^refused EINVAL\n1$/,
  },
  {
    name: 'calls of 32 bits',
    stoppedBy: 'seccomp filter',
    source: `
# mov eax, 20; int 0x80; ret: the id of the process, by the numbers of another architecture
if platform.machine() != 'x86_64': print('refused EPERM'); sys.exit()
m = mmap.mmap(-1, 4096, prot=7); m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')
got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()
print('got' if got == os.getpid() else 'refused EPERM')`,
    says: /^(refused EPERM)?$/,
    ends: ['ACCEPTED', 'RUNTIME_ERROR'],
    elsewhere: inPods(RUNTIMES_FILTER, { says: /^got$/ }),
  },
  {
    name: 'calls of the x32 architecture',
    stoppedBy: 'seccomp filter',
    source:
      "attempt(lambda: checked(libc.syscall(ctypes.c_long(0x40000000 | 39))) if platform.machine() == 'x86_64' else os.kill(1, 9))",
    says: /^(refused E(PERM|NOSYS))?$/,
    ends: ['ACCEPTED', 'RUNTIME_ERROR'],
  },
];
