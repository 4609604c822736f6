import { exhausting, type Program, refused } from './program.ts';

export const DESCRIPTORS: Program[] = [
  exhausting('descriptors', 'descriptors', "os.open('/dev/null', 0)"),
  exhausting('sockets', 'descriptors', 'socket.socket()'),
  {
    ...exhausting('descriptors of every child', 'processes', 'fork(lambda: ([os.dup(0) for _ in range(900)], hold()))'),
    ends: ['ACCEPTED', 'MEMORY_EXCEEDED'],
    says: /^(\d+, then EAGAIN)?$/,
  },
  exhausting('listeners', 'descriptors', "socket.create_server(('127.0.0.1', 0))"),
  exhausting('terminals', 'descriptors', 'os.openpty()'),
  refused(
    'descriptors of the first process',
    'user namespace',
    "call('pidfd_getfd', os.pidfd_open(1), 0, 0)",
    "os.listdir('/proc/1/fd')",
  ),
  {
    name: 'descriptors that it was not given',
    stoppedBy: 'end of the program',
    source:
      "print(sorted(os.readlink(f'/proc/self/fd/{fd}').split(':')[0] for fd in (0, 1, 2)), [fd for fd in range(3, 1024) if os.path.exists(f'/proc/self/fd/{fd}')])",
    says: /^\[.*\] \[\]$/,
  },
];
