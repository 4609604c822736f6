import { exhausting, FILLS_ITS_SANDBOX, inGVisor, type Program } from './program.ts';

const briefly = { seconds: 0, nanos: 5e8 };
/** Cut off by time, while the process limit keeps it small. */
const cut = {
  ends: ['WALL_TIME_EXCEEDED', 'CPU_TIME_EXCEEDED'],
  limits: { wallTime: briefly },
  stoppedBy: 'processes',
} as const;

export const PROCESSES: Program[] = [
  {
    name: 'fork bomb',
    source: 'forever(os.fork)',
    ...cut,
  },
  {
    name: 'fork bomb that leaves its session',
    source: 'while True:\n  try: os.fork() or os.setsid()\n  except OSError: pass',
    ...cut,
  },
  {
    name: 'fork bomb of children whose parents end',
    source: `
def generation():
    for _ in range(2):
        if os.fork() == 0: return
    os._exit(0)
if os.fork() == 0: forever(generation)
hold()`,
    ...cut,
  },
  { name: 'vfork bomb', source: "forever(lambda: os.posix_spawn('/bin/sleep', ['sleep', '60'], {}))", ...cut },
  {
    name: 'fork bomb of a shell',
    source: "os.execvp('sh', ['sh', '-c', 'b() { b | b & }; b; wait; sleep 60'])",
    ...cut,
    ends: [...cut.ends, 'RUNTIME_ERROR'],
  },
  {
    name: 'fork bomb that ignores every signal',
    source:
      'for n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nforever(os.fork)',
    ...cut,
  },
  {
    name: 'program that executes itself for ever',
    source:
      'os.execv(\'/bin/sh\', [\'sh\', \'-c\', \'exec "$0" -c "$1" "$0" "$1"\', \'/bin/sh\', \'exec "$0" -c "$1" "$0" "$1"\'])',
    ...cut,
    stoppedBy: 'wall time',
  },
  {
    ...exhausting('threads', 'processes', 'thread()'),
    source: `
def thread():
    try: threading.Thread(target=hold, daemon=True).start()
    except RuntimeError: raise OSError(errno.EAGAIN, '')
exhaust(thread)
os._exit(0)`,
  },
  exhausting('zombies', 'processes', 'fork(lambda: None)'),
  exhausting('children that are stopped', 'processes', 'fork(lambda: os.kill(os.getpid(), 19))'),
  exhausting('a group for each process', 'processes', 'fork(lambda: (os.setpgid(0, 0), hold()))'),
  {
    name: 'daemon that outlives the program',
    stoppedBy: 'end of the program',
    source: `
def daemon():
    os.setsid()
    for fd in range(3): os.close(fd)
    fork(hold)
fork(daemon); print('left', flush=True)`,
    says: /^left$/,
  },
  {
    name: 'daemon that hides what it is',
    stoppedBy: 'end of the program',
    source: `
def daemon():
    os.setsid()
    libc.prctl(15, b'drydock-agent', 0, 0, 0); libc.prctl(4, 0, 0, 0, 0)
    fork(lambda: os.execve('/bin/sleep', ['/run/drydock/agent', '60'], {}))
fork(daemon); print('left', flush=True)`,
    says: /^left$/,
  },
  {
    name: 'subreaper with orphans',
    stoppedBy: 'end of the program',
    source: `
def reaper():
    checked(libc.prctl(36, 1, 0, 0, 0)); os.setsid()
    for _ in range(20): fork(lambda: fork(hold))
    hold()
fork(reaper); time.sleep(0.2); print('left', flush=True)`,
    says: /^left$/,
    elsewhere: inGVisor(FILLS_ITS_SANDBOX, { ends: ['ACCEPTED', 'MEMORY_EXCEEDED', 'SANDBOX_STOPPED'] }),
  },
];
