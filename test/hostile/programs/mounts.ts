import { inGVisor, type Program, refused } from './program.ts';

/** Of gVisor, which has them for programs alone. */
const OWN_NAMESPACES = 'its kernel has namespaces of users, in which a program has rights over nothing but its sandbox';

export const MOUNTS: Program[] = [
  refused(
    'mount',
    'seccomp filter',
    "call('mount', b'tmpfs', b'/tmp', b'tmpfs', 0, NULL)",
    "call('mount', b'proc', b'/tmp', b'proc', 0, NULL)",
    "call('mount', b'/dev/sda', b'/tmp', b'ext4', 0, NULL)",
  ),
  refused(
    'a root that can be written',
    'seccomp filter',
    "call('mount', NULL, b'/', NULL, 0x1020, NULL)",
    "call('mount_setattr', -100, b'/', 0, ROOM, 32)",
  ),
  refused(
    'what is masked laid open',
    'seccomp filter',
    "call('umount2', b'/proc/kcore', 2)",
    "call('umount2', b'/run/drydock', 2)",
    "call('umount2', b'/', 2)",
  ),
  refused('another root', 'seccomp filter', "call('pivot_root', b'/tmp', b'/tmp')", "os.chroot('/tmp')"),
  refused(
    'the newer calls for mounts',
    'seccomp filter',
    "call('fsopen', b'tmpfs', 0)",
    "call('open_tree', -100, b'/', 1)",
    "call('move_mount', -100, b'/tmp', -100, b'/home', 0)",
  ),
  {
    ...refused(
      'a user namespace',
      'seccomp filter',
      "call('unshare', 0x10000000)",
      "call('clone', 0x10000011, 0, 0, 0, 0)",
    ),
    elsewhere: inGVisor(OWN_NAMESPACES, { says: /^got 0\nrefused EPERM$/ }),
  },
  {
    ...refused(
      'mounts in a user namespace',
      'seccomp filter',
      "call('unshare', 0x10020000)",
      "call('mount', b'tmpfs', b'/etc', b'tmpfs', 0, NULL)",
      "call('mount', b'/dev/vda', b'/tmp', b'ext4', 0, NULL)",
      "call('umount2', b'/', 2)",
    ),
    elsewhere: inGVisor(OWN_NAMESPACES, { says: /^got 0\n(got 0|refused E[A-Z]+)\n(refused E[A-Z]+\n?){2}$/ }),
  },
  {
    ...refused(
      'other namespaces',
      'seccomp filter',
      ...[0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000, 0x2000000].map((flag) => `call('unshare', ${flag})`),
    ),
    elsewhere: inGVisor('its kernel has no namespaces of control groups', {
      says: /^(refused EPERM\n){5}refused EINVAL$/,
    }),
  },
  {
    ...refused(
      'namespaces by the newer call',
      'seccomp filter',
      "call('clone3', struct.pack('QQQQQQQQ', 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64)",
    ),
    elsewhere: inGVisor(OWN_NAMESPACES, { says: /^(got \d+\n?){2}$/ }),
  },
  {
    ...refused(
      'the first process’s namespaces',
      'seccomp filter',
      ...['mnt', 'pid', 'net', 'user'].map((name) => `call('setns', os.open('/proc/1/ns/${name}', 0), 0)`),
      "call('setns', os.pidfd_open(1), 0x20000)",
    ),
    elsewhere: inGVisor('its users are those of the program already', {
      says: /^(refused EPERM\n){3}refused EINVAL\nrefused EPERM$/,
    }),
  },
  refused(
    'files by their handles',
    'capabilities',
    "call('open_by_handle_at', -100, struct.pack('IiQQ', 8, 1, 2, 0), 0)",
  ),
  refused(
    'a file system of its own',
    'file rights',
    "call('mount', b'own', b'/tmp', b'fuse', 0, b'fd=%d,rootmode=40000,user_id=0,group_id=0' % os.open('/dev/fuse', os.O_RDWR))",
    "os.open('/dev/loop-control', os.O_RDWR)",
    "os.open('/dev/mapper/control', os.O_RDWR)",
  ),
  refused(
    'the disks of the host',
    'file rights',
    ...['sda', 'vda', 'nvme0n1', 'dm-0', 'mem', 'kmem', 'port', 'kmsg', 'kvm'].map(
      (name) => `os.open('/dev/${name}', os.O_RDONLY)`,
    ),
  ),
  {
    name: 'writable places',
    stoppedBy: 'read-only mounts',
    source:
      "own = ('/tmp', '/home/user', '/dev/shm', '/dev/mqueue', '/proc')\nfor top, names, _ in os.walk('/'):\n  if top.startswith(own) or top.startswith('/sys'): names.clear(); continue\n  if top.count('/') > 3: names.clear()\n  try: open(os.path.join(top, 'x'), 'w'); print(top)\n  except OSError: pass\nprint('tried')",
    says: /^tried$/,
  },
  {
    name: 'what its files lie on, on the host',
    stoppedBy: 'read-only mounts',
    source:
      "for line in open('/proc/self/mountinfo'):\n  root = line.split()[3]\n  if not root.startswith('/..') and os.path.isdir('/tmp' + root) and root != '/': print(root)\nattempt(lambda: open('/etc/shadow').read())\nattempt(lambda: open('/etc/passwd', 'a'))",
    says: /^(refused E(ACCES|ROFS|NOENT)\n?){2}$/,
  },
];
