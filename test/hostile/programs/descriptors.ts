import { exhausting, inGVisor, type Program, refused, SHARED_USER } from './program.ts';

export const DESCRIPTORS: Program[] = [
  exhausting('descriptors', 'descriptors', "os.open('/dev/null', 0)"),
  exhausting('sockets', 'descriptors', 'socket.socket()'),
  {
    ...exhausting('descriptors of every child', 'processes', 'fork(lambda: ([os.dup(0) for _ in range(900)], hold()))'),
    ends: ['ACCEPTED', 'MEMORY_EXCEEDED'],
    says: /^(\d+, then EAGAIN)?$/,
  },
  {
    ...exhausting('listeners', 'descriptors', "socket.create_server(('127.0.0.1', 0))"),
    elsewhere: {
      'live pod': {
        ends: ['ACCEPTED', 'WALL_TIME_EXCEEDED'],
        says: /^\d+, then E(MFILE|ADDRINUSE)$/,
        because:
          'its descriptors are as many as its container runtime gives, and each listener takes a search for a port',
      },
    },
  },
  exhausting('terminals', 'descriptors', 'os.openpty()'),
  {
    ...refused(
      'descriptors of the first process',
      'user namespace',
      "call('pidfd_getfd', os.pidfd_open(1), 0, 0)",
      "[os.open(f'/proc/1/fd/{fd}', os.O_RDWR) for fd in os.listdir('/proc/1/fd')]",
    ),
    elsewhere: inGVisor(`${SHARED_USER}, and what the agent has open a program of that user may open again`, {
      says: /^refused EPERM\n(refused E[A-Z]+|got \[.*\])$/,
    }),
  },
  {
    name: 'descriptors that it was not given',
    stoppedBy: 'end of the program',
    source:
      "print(sorted(os.readlink(f'/proc/self/fd/{fd}').split(':')[0] for fd in (0, 1, 2)), [fd for fd in range(3, 1024) if os.path.exists(f'/proc/self/fd/{fd}')])",
    says: /^\[.*\] \[\]$/,
  },
];
