import { FILLS_ITS_SANDBOX, inGVisor, KERNEL_OF_ITS_OWN, type Program, refused } from './program.ts';

const second = { seconds: 1, nanos: 0 };
const spinning = {
  ends: ['CPU_TIME_EXCEEDED', 'WALL_TIME_EXCEEDED'],
  stoppedBy: 'CPU time',
  limits: { cpuTime: { seconds: 0, nanos: 3e8 }, wallTime: { seconds: 3, nanos: 0 } },
} as const;
const waiting = { ends: ['WALL_TIME_EXCEEDED'], stoppedBy: 'wall time', limits: { wallTime: second } } as const;
const NO_SUCH = 'its kernel has no such thing to give';
const SPIN = 'while True: pass';

export const CPU: Program[] = [
  { name: 'a loop', source: SPIN, ...spinning },
  {
    name: 'loops in every process that there may be',
    source: 'for _ in range(5):\n  try: os.fork()\n  except OSError: pass\nwhile True: pass',
    ...spinning,
    elsewhere: inGVisor(FILLS_ITS_SANDBOX, { ends: [...spinning.ends, 'MEMORY_EXCEEDED', 'SANDBOX_STOPPED'] }),
  },
  {
    name: 'loops in threads',
    source: `def spin():\n  ${SPIN}\nfor _ in range(8): threading.Thread(target=spin).start()`,
    ...spinning,
  },
  {
    name: 'a loop that ignores its limit’s signal',
    source: `signal.signal(signal.SIGXCPU, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)\n${SPIN}`,
    ...spinning,
  },
  {
    name: 'children that end before they are counted',
    source: 'while True: os.waitpid(fork(lambda: sum(range(20000))), 0)',
    ...spinning,
  },
  { name: 'system calls without end', source: 'while True: os.getppid()', ...spinning },
  { name: 'giving way without end', source: 'while True: os.sched_yield()', ...spinning },
  {
    name: 'a timer that never rests',
    source: 'signal.signal(14, lambda *_: None); signal.setitimer(0, 1e-6, 1e-6)\nwhile True: pass',
    ...spinning,
  },
  {
    name: 'waking each other without end',
    source: `
a, b = socket.socketpair()
def echo(s):
    while True: s.send(s.recv(1))
fork(lambda: echo(b)); a.send(b'x'); echo(a)`,
    ...spinning,
  },
  { name: 'random numbers of the kernel', source: 'while True: os.getrandom(1 << 20)', ...spinning },
  { name: 'sleeping', source: 'time.sleep(1000)', ...waiting },
  { name: 'stopping itself', source: 'os.kill(os.getpid(), 19)', ...waiting },
  {
    name: 'sleeping where no signal wakes',
    source:
      'for n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: time.sleep(1000)',
    ...waiting,
  },
  { name: 'a parent that waits for a vfork’s child', source: 'libc.vfork() or libc.pause()', ...waiting },
  {
    name: 'a better priority',
    stoppedBy: 'capabilities',
    source: 'attempt(lambda: os.setpriority(0, 0, -20))\nattempt(lambda: os.nice(-5))',
    says: /^(refused E(PERM|ACCES)\n?){2}$/,
    elsewhere: inGVisor(KERNEL_OF_ITS_OWN, { says: /^got None\ngot -20$/ }),
  },
  {
    ...refused(
      'real-time scheduling',
      'capabilities',
      'os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))',
      'os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))',
    ),
    elsewhere: inGVisor(NO_SUCH, { says: /^(refused EINVAL\n?){2}$/ }),
  },
  {
    ...refused(
      'scheduling by deadline',
      'capabilities',
      "call('sched_setattr', 0, struct.pack('IIQiIQQQ', 48, 6, 0, 0, 0, 10_000_000, 20_000_000, 20_000_000), 0)",
    ),
    elsewhere: inGVisor(NO_SUCH, { says: /^refused EINVAL$/ }),
  },
  refused(
    'input and output before others',
    'capabilities',
    'checked(libc.syscall(251 if platform.machine() == "x86_64" else 30, 1, 0, (1 << 13) | 0))',
  ),
  {
    name: 'higher limits of its own',
    stoppedBy: 'capabilities',
    source:
      "for n in (0, 1, 4, 6, 7, 8, 11, 13, 14):\n  soft, hard = resource.getrlimit(n)\n  if hard != -1:\n    try: resource.setrlimit(n, (hard + 1, hard + 1)); print('raised', n)\n    except (OSError, ValueError): pass\nprint('tried')",
    says: /^tried$/,
  },
];
