import { exhausting, type Program, refused } from './program.ts';

const FULL = /^\d+, then ENOSPC$/;
const OVER = "os.chdir('/tmp'); n = 0\ndef name():\n    global n; n += 1; return str(n)";
/** Files without content are counted as memory. */
const inodes = (name: string, attempt: string): Program => ({
  ...exhausting(name, 'memory', attempt, OVER),
  ends: ['ACCEPTED', 'MEMORY_EXCEEDED', 'WALL_TIME_EXCEEDED'],
  says: /^(\d+, then E(NOSPC|NOMEM|MLINK))?$/,
  limits: { wallTime: { seconds: 2, nanos: 0 } },
});

const SPARSE = {
  says: /^(got None|refused EFBIG)$/,
  because: 'a live sandbox limits its disk, and no file: this one is empty',
};

const FULL_OF_ATTRIBUTES = {
  because:
    'attributes fill the memory of its own sandbox until their file is removed, and nothing starts there to remove it',
};

export const DISK: Program[] = [
  {
    ...exhausting('a large file', 'disk', 'f.write(bytes(1 << 20))', "f = open('/tmp/x', 'wb', 0)"),
    says: FULL,
    limits: { fileBytes: 1 << 30 },
  },
  {
    ...exhausting(
      'a large file that is deleted and open',
      'disk',
      'f.write(bytes(1 << 20))',
      "f = open('/tmp/x', 'wb', 0); os.remove('/tmp/x')",
    ),
    says: FULL,
    limits: { fileBytes: 1 << 30 },
  },
  {
    ...exhausting(
      'many files',
      'disk',
      'f().write(bytes(1 << 16))',
      `${OVER}\ndef f(): return open(name(), 'wb', 0)\n`,
    ),
    says: /^\d+, then E(NOSPC|MFILE)$/,
  },
  inodes('empty files', 'os.close(os.open(name(), os.O_CREAT))'),
  inodes('directories', 'os.mkdir(name())'),
  inodes('symbolic links', "os.symlink('x' * 4000, name())"),
  {
    ...inodes('hard links', "os.link('x', name())"),
    source: `${OVER}\nopen('x', 'w')\nexhaust(lambda: os.link('x', name()))`,
  },
  inodes('queues with names', 'os.mkfifo(name())'),
  inodes('long names', "os.close(os.open(name() + 'x' * 240, os.O_CREAT))"),
  {
    name: 'deep directories',
    stoppedBy: 'disk',
    source:
      "os.chdir('/tmp'); deep = 0\ntry:\n    while deep < 20000: os.mkdir('d'); os.chdir('d'); deep += 1\nexcept OSError: pass\nprint('deep')",
    says: /^deep$/,
    elsewhere: {
      'live gVisor': {
        because:
          'its kernel holds a descriptor of its own for each directory on the way, and then opens nothing more until the sandbox is removed',
      },
    },
  },
  {
    name: 'a file larger than a file may be',
    stoppedBy: 'file size',
    source:
      "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nattempt(lambda: os.truncate(open('/tmp/x', 'w').name, 1 << 40))",
    says: /^refused EFBIG$/,
    elsewhere: { live: SPARSE, 'live pod': SPARSE, 'live gVisor': SPARSE },
  },
  {
    name: 'a sparse file that is filled by its mapping',
    stoppedBy: 'disk',
    limits: { fileBytes: 1 << 40 },
    source:
      "f = open('/tmp/x', 'w+b'); f.truncate(1 << 30)\nm = mmap.mmap(f.fileno(), 1 << 30)\nfor at in range(0, 1 << 30, 4096): m[at] = 1",
    ends: ['RUNTIME_ERROR', 'MEMORY_EXCEEDED'],
  },
  {
    name: 'space that is reserved',
    stoppedBy: 'disk',
    limits: { fileBytes: 1 << 40 },
    source: "f = open('/tmp/x', 'wb')\nattempt(lambda: os.posix_fallocate(f.fileno(), 0, 1 << 30))",
    says: /^refused E(NOSPC|FBIG)$/,
  },
  {
    name: 'attributes of files',
    stoppedBy: 'disk',
    source:
      "open('/tmp/x', 'w'); n = 0\ndef more():\n    global n; n += 1; os.setxattr('/tmp/x', f'user.{n}', bytes(60000))\nexhaust(more, 10000)",
    ends: ['ACCEPTED', 'MEMORY_EXCEEDED'],
    says: /^(\d+, then E(OPNOTSUPP|NOSPC|2BIG))?$/,
    elsewhere: { live: FULL_OF_ATTRIBUTES, 'live pod': FULL_OF_ATTRIBUTES, 'live gVisor': FULL_OF_ATTRIBUTES },
  },
  {
    name: 'links that lead in circles',
    stoppedBy: 'file rights',
    source: "os.symlink('/tmp/b', '/tmp/a'); os.symlink('/tmp/a', '/tmp/b')\nattempt(lambda: open('/tmp/a'))",
    says: /^refused ELOOP$/,
  },
  {
    name: 'directories that let nobody in',
    stoppedBy: 'end of the program',
    source:
      "for n in range(20): os.makedirs(f'/tmp/{n}/x'); os.chmod(f'/tmp/{n}/x', 0); os.chmod(f'/tmp/{n}', 0)\nprint('shut')",
    says: /^shut$/,
  },
  {
    name: 'names of any bytes',
    stoppedBy: 'end of the program',
    source:
      "for n in range(1, 256):\n  if n not in (46, 47): open(b'/tmp/' + bytes([n]), 'w')\nopen('/tmp/\\n..\\n', 'w'); print('named')",
    says: /^named$/,
  },
  refused(
    'a device',
    'capabilities',
    "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0))",
    "os.mknod('/tmp/memory', 0o20666, os.makedev(1, 1))",
  ),
  {
    name: 'a file that makes root of who executes it',
    stoppedBy: 'read-only mounts',
    source:
      "import shutil, subprocess\nshutil.copy('/usr/bin/id', '/tmp/id'); os.chmod('/tmp/id', 0o6755)\ntry: print('itself' if subprocess.run(['/tmp/id', '-u'], capture_output=True, text=True).stdout == f'{os.getuid()}\\n' and os.getuid() > 0 else 'another')\nexcept OSError: print('itself')",
    says: /^itself$/,
  },
];
