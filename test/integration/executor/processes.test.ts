import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StartProcessResponse } from '#proto/drydock/v1/process.ts';
import { collect, textOf } from '../../support/api.ts';
import { CALLER, MiB, python, STRANGER, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;
let sandboxId: string;

beforeAll(async () => {
  executor = await startExecutor();
  sandboxId = await executor.sandbox({ environment: { GREETING: 'hello' } });
});

afterAll(() => executor[Symbol.asyncDispose]());

const nextWorks = async () => expect((await executor.command(sandboxId, ['echo', 'next'])).stdout).toBe('next\n');

/** Begins a command and answers when it runs. */
async function begin(command: string[], more = {}) {
  const leave = new AbortController();
  const events = executor.start(sandboxId, command, more, leave.signal)[Symbol.asyncIterator]();
  const { event } = (await events.next()).value as StartProcessResponse;
  if (event?.$case !== 'started') throw new Error('the first event is not the start');
  return {
    processId: event.value.processId,
    leave,
    rest: { [Symbol.asyncIterator]: () => events },
  };
}

/** How many processes have a text in their command. */
const running = async (marker: string) =>
  Number(
    (
      await executor.command(
        sandboxId,
        python(`import os
def args(p):
  try: return open("/proc/" + p + "/cmdline").read()
  except OSError: return ""
print(sum("${marker}" in args(p) for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()))`),
      )
    ).stdout,
  );

describe('a command', () => {
  test('has its output, its exit code and the environment of its sandbox', async () => {
    const { stdout, stderr, exited } = await executor.command(
      sandboxId,
      python(
        'import os, sys; print(os.environ["GREETING"], os.environ["MORE"]); print("oh", file=sys.stderr); sys.exit(3)',
      ),
      { environment: { MORE: 'there' } },
    );
    expect({ stdout, stderr }).toEqual({
      stdout: 'hello there\n',
      stderr: 'oh\n',
    });
    expect(exited).toMatchObject({ exitCode: 3, signal: '' });
    expect(exited.usage?.peakMemoryBytes).toBeGreaterThan(0);
  });

  test('ended by a signal has its name and no exit code', async () => {
    const { exited } = await executor.command(sandboxId, python('import os; os.abort()'));
    expect(exited.signal).toBe('SIGABRT');
    expect(exited.exitCode).toBeUndefined();
  });

  test('that does not exist is told so', async () => {
    await expect(executor.command(sandboxId, ['no-such-thing'])).rejects.toMatchObject({ reason: 'COMMAND_NOT_FOUND' });
  });

  test('reads its input, and more of it later', async () => {
    expect(
      (
        await executor.command(sandboxId, ['cat'], {
          stdin: Buffer.from('ünï'),
        })
      ).stdout,
    ).toBe('ünï');
    const { processId, rest } = await begin(['cat'], { openStdin: true });
    const write = (text: string, close = false) =>
      executor.processes.writeProcessInput(
        { sandboxId, processId, input: { $case: 'text', value: text }, close },
        { caller: CALLER },
      );
    await write('a');
    await write('b', true);
    expect((await collect(rest)).stdout).toBe('ab');
    await expect(write('c')).rejects.toMatchObject({ reason: 'PROCESS_ENDED' });
  });

  test('takes signals by name', async () => {
    const { processId, rest } = await begin(['sleep', '60']);
    await executor.processes.signalProcess({ sandboxId, processId, signal: 'SIGTERM' }, { caller: CALLER });
    expect((await collect(rest)).exited.signal).toBe('SIGTERM');
  });

  test('has a terminal where it asks for one', async () => {
    const { processId, rest } = await begin(python('import os; input(); print(*os.get_terminal_size())'), {
      terminal: { columns: 80, rows: 24 },
    });
    await executor.processes.resizeProcess(
      { sandboxId, processId, terminal: { columns: 132, rows: 43 } },
      { caller: CALLER },
    );
    await executor.processes.writeProcessInput(
      {
        sandboxId,
        processId,
        input: { $case: 'text', value: '\n' },
        close: false,
      },
      { caller: CALLER },
    );
    expect((await collect(rest)).stdout).toContain('132 43');
  });

  test('started twice with one request id runs once', async () => {
    const more = { requestId: 'r1', detached: true };
    const command = python('import time, os; print(os.getpid()); time.sleep(0.3)');
    const both = await Promise.all([
      executor.command(sandboxId, command, more),
      executor.command(sandboxId, command, more),
    ]);
    expect(both[0].stdout).toBe(both[1].stdout);
    expect(both[0].stdout).not.toBe('');
  });
});

test.each([
  ['command', { command: [] }],
  ['command', { command: ['echo', 'a\0b'] }],
  ['command', { command: ['echo', 'x'.repeat(128 * 1024)] }],
  ['command', { command: Array.from({ length: 1025 }, () => 'x') }],
  ['environment', { environment: { 'A=B': 'x' } }],
  ['environment', { environment: { A: 'x\0' } }],
  ['environment', { environment: { A: 'x'.repeat(33_000) } }],
  ['workingDirectory', { workingDirectory: '../etc' }],
  ['workingDirectory', { workingDirectory: '/home/\0' }],
  ['stdin', { stdin: Buffer.alloc(MiB + 1) }],
  ['terminal', { terminal: { columns: 0, rows: 5 } }],
  ['requestId', { requestId: 'x'.repeat(129) }],
])('a bad %s is refused by name', async (field, more) => {
  await expect(executor.command(sandboxId, ['true'], more)).rejects.toMatchObject({
    reason: 'INVALID_FIELD',
    details: { fields: [{ field }] },
  });
});

describe('leaving', () => {
  test('ends a process with everything that it started', async () => {
    const { leave, rest } = await begin(python('import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(61.5)'));
    leave.abort();
    await expect(collect(rest)).rejects.toThrow();
    await expect.poll(() => running('61.5')).toBe(0);
  });

  test('lets a detached one run, to be joined at an offset', async () => {
    const { processId, leave, rest } = await begin(
      python('import time\nfor i in range(40): print(i, flush=True); time.sleep(0.05)'),
      {
        detached: true,
      },
    );
    leave.abort();
    await expect(collect(rest)).rejects.toThrow();
    const request = { sandboxId, processId, stdoutOffset: 4, stderrOffset: 0 };
    const { stdout, exited } = await collect(executor.processes.connectProcess(request, { caller: CALLER }));
    expect(stdout).toBe(Array.from({ length: 38 }, (_, i) => `${i + 2}\n`).join(''));
    expect(exited.exitCode).toBe(0);
    const { processes } = await executor.processes.listProcesses({ sandboxId }, { caller: CALLER });
    expect(processes.find(({ id }) => id === processId)).toMatchObject({
      detached: true,
      exited: { exitCode: 0 },
    });
  });
});

describe('output', () => {
  test('is text piece by piece, and bytes where it is none', async () => {
    const source =
      'import sys\nfor b in "€uro ".encode() * 300: sys.stdout.buffer.write(bytes([b])); sys.stdout.buffer.flush()';
    const pieces: string[] = [];
    for await (const { event } of executor.start(sandboxId, python(source)))
      if (event?.$case === 'stdout') pieces.push(textOf(event.value));
    expect(pieces.join('')).toBe('€uro '.repeat(300));
    const raw = await executor.command(sandboxId, python('import sys; sys.stdout.buffer.write(b"\\xff\\xfe")'));
    expect(raw.stdout).toBe('\xff\xfe');
  });

  test('of a GiB goes by without being kept anywhere', async () => {
    const rss = () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${executor.process().pid}/status`, 'utf8'))![1]) * 1024;
    const before = rss();
    let bytes = 0;
    let most = before;
    let nextLook = 0;
    for await (const { event } of executor.start(sandboxId, ['head', '-c', String(1024 * MiB), '/dev/zero'])) {
      if (event?.$case !== 'stdout') continue;
      bytes += textOf(event.value).length;
      if (bytes < nextLook) continue;
      most = Math.max(most, rss());
      nextLook += 64 * MiB;
    }
    expect(bytes).toBe(1024 * MiB);
    expect(nextLook).toBeGreaterThanOrEqual(1024 * MiB);
    expect(most - before).toBeLessThan(200 * MiB);
  }, 240_000);

  test('that nobody reads stops the program', async () => {
    const { leave } = await begin(
      python(
        'import sys\nn = 0\nwhile True:\n  sys.stdout.write("x" * 65536); n += 65536\n  open("/tmp/written", "w").write(str(n))',
      ),
    );
    const written = async () => Number((await executor.readFile(sandboxId, '/tmp/written')).toString());
    let last = -1;
    await expect
      .poll(
        async () => {
          const now = await written();
          const stalled = now === last;
          last = now;
          return stalled;
        },
        { interval: 500, timeout: 20_000 },
      )
      .toBe(true);
    expect(last).toBeLessThan(16 * MiB);
    leave.abort();
  });
});

describe('contained, and the next command works:', () => {
  beforeEach(() => nextWorks());

  test.each([
    ['a fork bomb', 'import os\nwhile True:\n  try: os.fork()\n  except OSError: pass', 2_000],
    [
      'children that leave the session and their parent',
      'import os, time\nfor _ in range(5):\n  if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(62.5)\n    os._exit(0)\ntime.sleep(62.5)',
      300,
    ],
  ])('%s', async (_, source, milliseconds) => {
    const { leave, rest } = await begin(python(source));
    const ended = collect(rest).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    leave.abort();
    await ended;
    await expect.poll(() => running('62.5').catch(() => -1), { timeout: 20_000 }).toBe(0);
    await nextWorks();
  });

  test('killing everything it can', async () => {
    const { exited } = await executor.command(sandboxId, python('import os; os.kill(-1, 9)'));
    expect(exited.exitCode ?? exited.signal).toBeDefined();
    await nextWorks();
  });

  test('more memory than there is', async () => {
    const { exited } = await executor.command(sandboxId, python('b = []\nwhile True: b.append(bytearray(10 ** 7))'));
    expect(exited).toMatchObject({ signal: 'SIGKILL' });
    expect(exited.usage?.oomKills).toBeGreaterThan(0);
    await nextWorks();
  });

  test('a disk filled to the brim', async () => {
    const { stderr } = await executor.command(
      sandboxId,
      python('f = open("/home/user/big", "wb")\nwhile True: f.write(bytes(10 ** 6))'),
    );
    expect(stderr).toContain('No space left');
    await expect(executor.writeFile(sandboxId, 'more', Buffer.alloc(MiB))).rejects.toMatchObject({
      reason: 'DISK_FULL',
    });
    await executor.command(sandboxId, ['rm', '/home/user/big']);
    await nextWorks();
  });

  test('a child that keeps the output open', async () => {
    const started = performance.now();
    const { stdout, exited } = await executor.command(
      sandboxId,
      python('import os, time\nif os.fork() == 0: time.sleep(63)\nprint("done", flush=True)'),
    );
    expect({ stdout, open: exited.outputStillOpen }).toEqual({
      stdout: 'done\n',
      open: true,
    });
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

test('another organisation finds nothing', async () => {
  const one = { sandboxId, processId: 'prc_x' };
  const { processes } = executor;
  const options = { caller: STRANGER };
  const calls = [
    processes.listProcesses({ sandboxId }, options),
    processes.signalProcess({ ...one, signal: 'SIGKILL' }, options),
    processes.writeProcessInput({ ...one, input: { $case: 'text', value: '' }, close: true }, options),
    processes.resizeProcess({ ...one, terminal: { columns: 1, rows: 1 } }, options),
    collect(processes.connectProcess({ ...one, stdoutOffset: 0, stderrOffset: 0 }, options)),
  ];
  for (const call of calls) await expect(call).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});

test('what is not there is not found', async () => {
  const one = { sandboxId, processId: 'prc_x' };
  const missing = { reason: 'PROCESS_NOT_FOUND' };
  await expect(
    executor.processes.signalProcess({ ...one, signal: 'SIGTERM' }, { caller: CALLER }),
  ).rejects.toMatchObject(missing);
  await expect(
    executor.processes.signalProcess({ ...one, signal: 'SIGNOPE' }, { caller: CALLER }),
  ).rejects.toMatchObject({
    reason: 'INVALID_FIELD',
  });
});

test('one process more than may be followed is refused, and another may be once one is left', async () => {
  await using small = await startExecutor({ environment: { EXECUTOR_PROCESS_STREAMS: '2' } });
  const id = await small.sandbox();
  const leave = [new AbortController(), new AbortController()];
  for (const { signal } of leave) await small.start(id, ['sleep', '1000'], {}, signal)[Symbol.asyncIterator]().next();
  await expect(small.command(id, ['true'])).rejects.toMatchObject({
    reason: 'TOO_MANY_STREAMS',
    details: { metadata: { kind: 'processes', limit: '2' } },
  });
  const { processes } = await small.processes.listProcesses({ sandboxId: id }, { caller: CALLER });
  expect(processes).toHaveLength(2);
  leave[0]!.abort();
  const again = () =>
    small.command(id, ['true']).then(
      ({ exited }) => exited?.exitCode,
      () => 'refused',
    );
  await expect.poll(again).toBe(0);
  leave[1]!.abort();
});
