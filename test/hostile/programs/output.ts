import type { Program } from './program.ts';

const flood = { ends: ['OUTPUT_EXCEEDED'], stoppedBy: 'output' } as const;

export const OUTPUT: Program[] = [
  { name: 'lines without end', source: 'while True: print("x" * 1000)', ...flood },
  { name: 'a line without end', source: 'while True: os.write(1, b"x" * 65536)', ...flood },
  { name: 'lines without end on the other stream', source: 'while True: os.write(2, b"x\\n" * 30000)', ...flood },
  {
    name: 'both streams at once',
    source: 'fork(lambda: forever(lambda: os.write(2, b"y" * 65536)))\nwhile True: os.write(1, b"x" * 65536)',
    ...flood,
  },
  { name: 'bytes that are no text', source: 'while True: os.write(1, bytes(range(128, 256)) * 500)', ...flood },
  { name: 'zeros', source: 'while True: os.write(1, bytes(65536))', ...flood },
  {
    name: 'one byte at a time',
    source: 'for _ in range(20_000): os.write(1, b"x")',
    stoppedBy: 'output',
    says: /^x{20000}$/,
  },
  {
    name: 'a flood of every process',
    source: 'for _ in range(4): os.fork()\nwhile True: os.write(1, b"x" * 65536)',
    ...flood,
  },
  {
    name: 'a flood through a descriptor of its own',
    source: 'f = open("/proc/self/fd/1", "wb", 0)\nwhile True: f.write(b"x" * 65536)',
    ...flood,
    elsewhere: { gVisor: { ends: ['OUTPUT_EXCEEDED', 'RUNTIME_ERROR'], because: 'a pipe cannot be opened again' } },
  },
  {
    name: 'output after the program’s end',
    stoppedBy: 'end of the program',
    source:
      'print("first", flush=True)\nfork(lambda: (os.setsid(), time.sleep(0.2), forever(lambda: os.write(1, b"x"))))\nos._exit(0)',
    says: /^firstx*$|^first\n?x*$/,
  },
  {
    name: 'closed streams',
    stoppedBy: 'end of the program',
    source: 'for fd in range(3): os.close(fd)\nos._exit(0)',
    says: /^$/,
  },
  {
    name: 'a stream that it makes block for others',
    stoppedBy: 'end of the program',
    source:
      'os.set_blocking(0, False); os.set_blocking(1, False); fcntl.fcntl(1, 1031, 4096); print("set", flush=True)',
    says: /^set$/,
    elsewhere: {
      gVisor: { says: /^(set)?$/, ends: ['ACCEPTED', 'RUNTIME_ERROR'], because: 'streams are sized otherwise' },
      'live gVisor': { says: /^(set)?$/, ends: ['ACCEPTED', 'RUNTIME_ERROR'], because: 'streams are sized otherwise' },
    },
  },
  {
    name: 'words of a terminal',
    stoppedBy: 'end of the program',
    source: 'os.write(1, b"\\x1b[2J\\x1b]0;x\\x07\\x1b[6n\\x00\\x04")',
    says: /\[2J/,
  },
];
