import { inGVisor, inPods, type Program, refused, SHARED_USER, UNGUARDED_AGENT } from './program.ts';

const briefly = { seconds: 0, nanos: 5e8 };
/** `silencedSandbox` in the tests of Kubernetes does it. */
const SILENCED = 'its own sandbox answers nobody until it is removed';
/** The program ends with its sandbox, in which the first process is the agent. */
const WITH_ITS_AGENT = inGVisor(UNGUARDED_AGENT, { ends: ['RUNTIME_ERROR', 'SANDBOX_STOPPED'] });
const ALL = "for n in range(1, 65):\n  try: os.kill(PID, n)\n  except OSError: pass\nprint('alive')";

export const SIGNALS: Program[] = [
  {
    name: 'a signal that kills everybody',
    stoppedBy: 'PID namespace',
    source: "try: os.kill(-1, 9)\nexcept ProcessLookupError: pass\nprint('alive')",
    says: /^alive$/,
  },
  {
    name: 'everybody stopped without end',
    stoppedBy: 'wall time',
    source: 'fork(lambda: forever(lambda: os.kill(-1, 19))); time.sleep(60)',
    ends: ['WALL_TIME_EXCEEDED'],
    limits: { wallTime: briefly },
    elsewhere: {
      'live pod': { because: `${SHARED_USER}, so it stops the stream between them: ${SILENCED}` },
      'live gVisor': { because: `${SHARED_USER}, so it stops the agent: ${SILENCED}` },
    },
  },
  {
    name: 'children that kill everybody',
    stoppedBy: 'PID namespace',
    source: 'for _ in range(5): os.fork()\nos.kill(-1, 9)\ntime.sleep(1)',
    says: /^$/,
    ends: ['RUNTIME_ERROR', 'ACCEPTED'],
  },
  {
    name: 'every signal for the first process',
    stoppedBy: 'user namespace',
    source: ALL.replace('PID', '1'),
    says: /^alive$/,
    elsewhere: WITH_ITS_AGENT,
  },
  {
    name: 'every signal for its parent',
    stoppedBy: 'PID namespace',
    source: ALL.replace('PID', 'os.getppid() or 1'),
    says: /^alive$/,
    elsewhere: WITH_ITS_AGENT,
  },
  { name: 'a signal for its group', stoppedBy: 'end of the program', source: 'os.kill(0, 9)', ends: ['RUNTIME_ERROR'] },
  {
    ...refused(
      'the first process ended',
      'user namespace',
      'os.kill(1, 9)',
      'os.kill(1, 19)',
      "call('tgkill', 1, 1, 9)",
      'signal.pidfd_send_signal(os.pidfd_open(1), 9)',
    ),
    elsewhere: {
      ...inPods(`${SHARED_USER}; a first process takes no signal that would end it`, {
        says: /^got None\ngot None\ngot 0\ngot None$/,
      }),
      ...WITH_ITS_AGENT,
    },
  },
  refused(
    'the first process traced',
    'user namespace',
    "call('ptrace', 16, 1, 0, 0)",
    "call('ptrace', 0x4206, 1, 0, 0)",
  ),
  {
    name: 'every process that it sees traced',
    stoppedBy: 'PID namespace',
    source:
      "for pid in filter(str.isdigit, os.listdir('/proc')):\n  if int(pid) != os.getpid() and libc.ptrace(16, int(pid), 0, 0) == 0: print('traced', pid)\nprint('tried')",
    says: /^tried$/,
  },
  {
    name: 'signals of a descriptor for the first process',
    stoppedBy: 'user namespace',
    source:
      "a, b = socket.socketpair()\nfcntl.fcntl(a, fcntl.F_SETSIG, 9); fcntl.fcntl(a, fcntl.F_SETOWN, 1)\nfcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC); b.send(b'x'); print('sent')",
    says: /^(sent)?$/,
    ends: ['ACCEPTED', 'RUNTIME_ERROR'],
    elsewhere: inGVisor(UNGUARDED_AGENT, { says: /^(sent)?$/, ends: ['ACCEPTED', 'RUNTIME_ERROR', 'SANDBOX_STOPPED'] }),
  },
  {
    name: 'a death that a debugger holds',
    stoppedBy: 'wall time',
    ends: ['WALL_TIME_EXCEEDED'],
    limits: { wallTime: briefly },
    source: 'child = fork(lambda: (libc.ptrace(0, 0, 0, 0), os.kill(os.getpid(), 19)))\ntime.sleep(1000)',
  },
  {
    name: 'a dump of memory',
    stoppedBy: 'end of the program',
    source: "try: resource.setrlimit(4, (-1, -1))\nexcept (OSError, ValueError): pass\nos.chdir('/tmp'); os.abort()",
    ends: ['RUNTIME_ERROR'],
  },
];
