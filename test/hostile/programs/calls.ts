import { ResizeProcessRequest, SignalProcessRequest, WriteProcessInputRequest } from '#proto/drydock/v1/process.ts';
import { CALLER, python, type TestExecutor } from '../../integration/executor/fixture.ts';
import { startedId } from '../../support/api.ts';
import type { Limit } from './program.ts';

/** A hostile call for a live sandbox, perhaps of one whose programs have prepared something for it. */
export type Call = {
  name: string;
  stoppedBy: Limit | 'refusal';
  /** What it is answered with, or else the reasons of the errors. */
  call: (executor: TestExecutor, sandboxId: string) => Promise<unknown>;
  answers: RegExp;
};

const options = { caller: CALLER };
const MiB = 1024 * 1024;

const reading = (path: string) => (executor: TestExecutor, sandboxId: string) => executor.readFile(sandboxId, path);
const writing = (path: string) => (executor: TestExecutor, sandboxId: string) =>
  executor.writeFile(sandboxId, path, 'x').then(() => 'written');
const removing = (path: string) => (executor: TestExecutor, sandboxId: string) =>
  executor.files.removeFile({ sandboxId, path, recursive: true }, options);
const running =
  (command: string[], more: Parameters<TestExecutor['command']>[2] = {}) =>
  async (executor: TestExecutor, sandboxId: string) =>
    (await executor.command(sandboxId, command, more)).stdout;

/** A call after a program of the same sandbox. */
const after =
  (source: string, call: Call['call']): Call['call'] =>
  async (executor, sandboxId) => {
    const { exited, stderr } = await executor.command(sandboxId, python(`import os\n${source}`));
    if (exited.exitCode !== 0) throw new Error(stderr);
    return call(executor, sandboxId);
  };

const DENIED = /^(FILE_PERMISSION_DENIED|FILE_WRONG_TYPE|FILE_READ_ONLY|FILE_NOT_FOUND)$/;
const NO_FILE = /^(FILE_PERMISSION_DENIED|FILE_WRONG_TYPE|FILE_NOT_FOUND|INVALID_FIELD)$/;

export const CALLS: Call[] = [
  { name: 'reading the agent’s environment', stoppedBy: 'refusal', call: reading('/proc/1/environ'), answers: DENIED },
  { name: 'reading the agent’s memory', stoppedBy: 'refusal', call: reading('/proc/self/mem'), answers: DENIED },
  { name: 'reading the agent’s map', stoppedBy: 'refusal', call: reading('/proc/1/maps'), answers: DENIED },
  {
    name: 'reading by the agent’s root',
    stoppedBy: 'refusal',
    call: reading('/proc/1/root/etc/shadow'),
    answers: DENIED,
  },
  { name: 'reading what only root may', stoppedBy: 'file rights', call: reading('/proc/kmsg'), answers: NO_FILE },
  { name: 'reading a device without end', stoppedBy: 'refusal', call: reading('/dev/zero'), answers: NO_FILE },
  {
    name: 'reading a planted link',
    stoppedBy: 'refusal',
    call: after('os.symlink("/proc/1/environ", "/tmp/link")', reading('/tmp/link')),
    answers: DENIED,
  },
  {
    name: 'reading a queue without a writer',
    stoppedBy: 'refusal',
    call: after('os.mkfifo("/tmp/queue")', reading('/tmp/queue')),
    answers: NO_FILE,
  },
  {
    name: 'writing to a queue without a reader',
    stoppedBy: 'refusal',
    call: after('os.mkfifo("/tmp/queue")', writing('/tmp/queue')),
    // It is replaced by a file.
    answers: /^written$/,
  },
  { name: 'writing to a device', stoppedBy: 'refusal', call: writing('/dev/full'), answers: NO_FILE },
  {
    name: 'writing outside by dots',
    stoppedBy: 'read-only mounts',
    call: writing('../../../../etc/passwd'),
    answers: /./,
  },
  {
    name: 'writing through a planted link',
    stoppedBy: 'read-only mounts',
    call: after('os.symlink("/etc", "/tmp/etc")', writing('/tmp/etc/passwd')),
    answers: DENIED,
  },
  {
    name: 'writing while links are swapped',
    stoppedBy: 'read-only mounts',
    async call(executor, sandboxId) {
      const swap = `import os, time
os.mkdir("/tmp/d"); os.symlink("/etc", "/tmp/l"); until = time.time() + 1
while time.time() < until: os.rename("/tmp/d", "/tmp/x"); os.rename("/tmp/l", "/tmp/d"); os.rename("/tmp/d", "/tmp/l"); os.rename("/tmp/x", "/tmp/d")`;
      const swapping = executor.command(sandboxId, python(swap));
      await Promise.allSettled(
        Array.from({ length: 100 }, (_, n) => executor.writeFile(sandboxId, `/tmp/d/hostile-${n}`, 'x')),
      );
      await swapping;
      const { stdout } = await executor.command(sandboxId, ['sh', '-c', 'ls /etc | grep -c hostile']);
      return stdout.trim();
    },
    answers: /^0$/,
  },
  {
    name: 'writing more than there is room for',
    stoppedBy: 'disk',
    call: (executor, sandboxId) => executor.writeFile(sandboxId, '/tmp/large', Buffer.alloc(100 * MiB)),
    answers: /^DISK_FULL$/,
  },
  { name: 'a path with a zero in it', stoppedBy: 'refusal', call: reading('/tmp/a\0b'), answers: /^INVALID_FIELD$/ },
  {
    name: 'a path without end',
    stoppedBy: 'refusal',
    call: reading(`/${'a/'.repeat(5000)}`),
    answers: /^INVALID_FIELD$/,
  },
  { name: 'removing everything', stoppedBy: 'read-only mounts', call: removing('/'), answers: /./ },
  { name: 'removing the agent', stoppedBy: 'read-only mounts', call: removing('/run/drydock'), answers: DENIED },
  {
    name: 'a directory of 20,000 files',
    stoppedBy: 'refusal',
    call: after(
      'os.mkdir("/tmp/many")\nfor n in range(20_000): os.close(os.open(f"/tmp/many/{n}", os.O_CREAT))',
      async ({ files }, sandboxId) => {
        const page = await files.listFiles({ sandboxId, path: '/tmp/many', pageSize: 1000, pageToken: '' }, options);
        return page.files.length;
      },
    ),
    answers: /^1000$/,
  },
  {
    name: 'a command with a zero in it',
    stoppedBy: 'refusal',
    call: running(['echo', 'a\0b']),
    answers: /^INVALID_FIELD$/,
  },
  {
    name: 'a command that is too long',
    stoppedBy: 'arguments',
    call: running(['echo', 'x'.repeat(3 * MiB)]),
    answers: /^(INVALID_FIELD|PROGRAM_NOT_FOUND|)$/,
  },
  {
    name: 'a library for its command',
    stoppedBy: 'refusal',
    call: running(['echo', 'on'], { environment: { LD_PRELOAD: '/proc/1/exe' } }),
    answers: /^on\n$/,
  },
  {
    name: 'a directory where it may not be',
    stoppedBy: 'file rights',
    call: running(['pwd'], { workingDirectory: '/root' }),
    answers: /./,
  },
  {
    name: 'a terminal of no size',
    stoppedBy: 'refusal',
    call: running(['tty'], { terminal: { columns: -1, rows: 1e9 } }),
    answers: /^INVALID_FIELD$/,
  },
  {
    name: 'a hundred commands at once',
    stoppedBy: 'processes',
    async call(executor, sandboxId) {
      const commands = Array.from({ length: 100 }, () => executor.command(sandboxId, ['sleep', '1']));
      const ended = (await Promise.allSettled(commands)).map((each) =>
        each.status === 'fulfilled' ? (each.value.exited.exitCode ?? each.value.exited.signal) : each.reason.reason,
      );
      return [...new Set(ended)].join(' ');
    },
    answers: /^(0|NO_CAPACITY|0 NO_CAPACITY)$/,
  },
  {
    name: 'input for a program that does not read',
    stoppedBy: 'refusal',
    async call(executor, sandboxId) {
      const leaving = new AbortController();
      const events = executor.start(sandboxId, ['sleep', '60'], { openStdin: true }, leaving.signal);
      const iterator = events[Symbol.asyncIterator]();
      const first = (await iterator.next()).value;
      const processId = first?.event?.$case === 'started' ? first.event.value.processId : '';
      const signal = AbortSignal.timeout(1_000);
      const data = Buffer.alloc(MiB);
      const written = Array.from({ length: 20 }, () =>
        executor.processes.writeProcessInput(
          WriteProcessInputRequest.create({ sandboxId, processId, input: { $case: 'data', value: data } }),
          { ...options, signal },
        ),
      );
      const stuck = (await Promise.allSettled(written)).filter(({ status }) => status === 'rejected').length;
      leaving.abort();
      await iterator.next().catch(() => {});
      return stuck > 0 ? 'waits' : 'takes all of it';
    },
    answers: /^waits$/,
  },
  {
    name: 'output that its caller does not read',
    stoppedBy: 'refusal',
    async call(executor, sandboxId) {
      const leaving = new AbortController();
      await startedId(executor.start(sandboxId, ['cat', '/dev/zero'], {}, leaving.signal));
      return 'left';
    },
    answers: /^left$/,
  },
  {
    name: 'a signal that there is not',
    stoppedBy: 'refusal',
    call: ({ processes }, sandboxId) =>
      processes.signalProcess(
        SignalProcessRequest.create({ sandboxId, processId: '1', signal: 'SIGX; reboot' }),
        options,
      ),
    answers: /^(INVALID_FIELD|PROCESS_NOT_FOUND)$/,
  },
  {
    name: 'a signal for the agent',
    stoppedBy: 'refusal',
    call: ({ processes }, sandboxId) =>
      processes.signalProcess(SignalProcessRequest.create({ sandboxId, processId: '1', signal: 'SIGKILL' }), options),
    answers: /^(INVALID_FIELD|PROCESS_NOT_FOUND)$/,
  },
  {
    name: 'another size for a process that has no terminal',
    stoppedBy: 'refusal',
    call: ({ processes }, sandboxId) =>
      processes.resizeProcess(
        ResizeProcessRequest.create({ sandboxId, processId: '../1', terminal: { columns: 1e6, rows: 0 } }),
        options,
      ),
    answers: /^(INVALID_FIELD|PROCESS_NOT_FOUND)$/,
  },
];
