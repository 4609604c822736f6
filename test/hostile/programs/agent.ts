import { FILLS_ITS_SANDBOX, inGVisor, type Program, refused } from './program.ts';

export const AGENT: Program[] = [
  refused(
    'the agent’s link',
    'file rights',
    "os.listdir('/run/drydock/link')",
    "socket.socket(socket.AF_UNIX).connect('/run/drydock/link/agent.sock')",
    "os.remove('/run/drydock/link/agent.sock')",
  ),
  refused(
    'another program instead of the agent',
    'read-only mounts',
    "open('/run/drydock/agent', 'wb')",
    "os.rename('/run/drydock/agent', '/run/drydock/agent.old')",
    "os.remove('/run/drydock/cell')",
    "os.mkdir('/run/drydock/x')",
  ),
  {
    name: 'another agent beside the first',
    stoppedBy: 'PID namespace',
    source:
      "import subprocess\nfor command in (['/run/drydock/agent'], ['/run/drydock/agent', 'listen'], ['/run/drydock/agent', 'connect']):\n  try: subprocess.run(command, timeout=0.3, capture_output=True, stdin=subprocess.DEVNULL)\n  except (OSError, subprocess.TimeoutExpired): pass\nprint('tried')",
    says: /^tried$/,
  },
  refused(
    'libraries for every program',
    'read-only mounts',
    "open('/etc/ld.so.preload', 'w')",
    "open('/etc/ld.so.cache', 'r+b')",
    "open('/usr/lib/python3/dist-packages/x.py', 'w')",
  ),
  {
    name: 'libraries for the next program',
    stoppedBy: 'end of the program',
    source:
      "import site\nos.makedirs(site.getusersitepackages(), exist_ok=True)\nopen(site.getusersitepackages() + '/usercustomize.py', 'w').write('raise SystemExit(66)')\nopen('/home/user/sitecustomize.py', 'w').write('raise SystemExit(66)')\nfor name in ('.profile', '.bashrc', '.pythonrc'): open('/home/user/' + name, 'w').write('exit 66')\nprint('left')",
    says: /^left$/,
  },
  {
    name: 'its own source replaced',
    stoppedBy: 'end of the program',
    source: "try: open(sys.argv[0], 'w').write('print(66)')\nexcept OSError: pass\nprint('replaced')",
    says: /^replaced$/,
  },
  {
    name: 'a verdict of its own',
    stoppedBy: 'end of the program',
    source:
      'print(\'{"verdict": "ACCEPTED", "exit_code": 0}\')\nos.write(2, b\'\\x00\\x00\\x00\\x00\\x05\\x0a\\x03\\x08\\x00\\x10\\x01\')\nos._exit(9)',
    ends: ['RUNTIME_ERROR'],
  },
  {
    name: 'an exit code that a signal has',
    stoppedBy: 'end of the program',
    source: 'os._exit(137)',
    ends: ['RUNTIME_ERROR'],
  },
  {
    name: 'a process that denies whose it is',
    stoppedBy: 'end of the program',
    source: "fork(lambda: (os.setsid(), os.execve('/bin/sleep', ['sleep', '60'], {}))); print('left', flush=True)",
    says: /^left$/,
  },
  {
    name: 'the agent’s name for itself',
    stoppedBy: 'IPC namespace',
    source:
      "s = socket.socket(socket.AF_UNIX)\nfor name in ('\\0drydock', '\\0/run/drydock/link/agent.sock', '\\0agent'):\n  s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen()\nprint('listens')",
    says: /^listens$/,
  },
];

/** What would be in the way of the next program, if it were still there. */
export const LEFTOVERS: Program[] = [
  {
    name: 'files wherever it may write',
    stoppedBy: 'end of the program',
    source:
      "for top in ('/tmp', '/home/user', '/dev/shm', '/dev/mqueue', '/var/tmp', '/run/lock'):\n  try: open(top + '/left', 'w').write('x')\n  except OSError: pass\nprint('left')",
    says: /^left$/,
  },
  {
    name: 'shared memory, semaphores and queues',
    stoppedBy: 'IPC namespace',
    source:
      'print(libc.shmget(0x5eed, 4096, 0o1666) >= 0, libc.semget(0x5eed, 1, 0o1666) >= 0, libc.msgget(0x5eed, 0o1666) >= 0)',
    says: /^True True True$/,
  },
  {
    name: 'a listener and a name',
    stoppedBy: 'network namespace',
    source:
      "def squat():\n    os.setsid(); a = socket.socket(socket.AF_UNIX); a.bind('\\0left'); a.listen()\n    b = socket.create_server(('127.0.0.1', 4242)); hold()\nfork(squat); time.sleep(0.1); print('left')",
    says: /^left$/,
  },
  {
    name: 'locks of files that all have',
    stoppedBy: 'end of the program',
    source:
      "f = open('/usr/bin/python3', 'rb'); fcntl.flock(f, fcntl.LOCK_SH)\nfork(lambda: (os.setsid(), hold())); print('locked', flush=True)",
    says: /^locked$/,
  },
  {
    name: 'a shared memory that is full',
    stoppedBy: 'end of the program',
    source:
      "f = open('/dev/shm/left', 'wb', 0)\ntry:\n    while True: f.write(bytes(1 << 20))\nexcept OSError: print('full')",
    says: /^full$/,
    elsewhere: inGVisor(FILLS_ITS_SANDBOX, { ends: ['ACCEPTED', 'MEMORY_EXCEEDED', 'SANDBOX_STOPPED'] }),
  },
  {
    name: 'its clock and its mask',
    stoppedBy: 'end of the program',
    source: "os.umask(0o777); os.chdir('/tmp'); signal.alarm(1000); print('set')",
    says: /^set$/,
  },
];
