import { afterAll, expect, inject, test } from 'vitest';
import { connectGrpc } from '../support/api.ts';

const platform = inject('platform');
const api = connectGrpc(platform, platform.apiKey);
afterAll(() => api[Symbol.dispose]());

const second = { seconds: 1, nanos: 0 };

test.each([
  ['ACCEPTED', 'print(1)', {}],
  ['WALL_TIME_EXCEEDED', 'import time; time.sleep(60)', { wallTime: second }],
  ['CPU_TIME_EXCEEDED', 'while True: pass', { cpuTime: second }],
  ['MEMORY_EXCEEDED', 'x = []\nwhile True: x.append(bytearray(10_000_000))', {}],
  ['OUTPUT_EXCEEDED', 'while True: print("x" * 1000)', { outputBytes: 10_000 }],
  ['RUNTIME_ERROR', 'import os; os.abort()', {}],
  ['WALL_TIME_EXCEEDED', 'import os, signal; os.kill(os.getpid(), signal.SIGSTOP)', { wallTime: second }],
  [
    'CPU_TIME_EXCEEDED',
    'import os\nfor _ in range(3):\n  if os.fork() == 0:\n    os.setsid()\n    while True: pass\nwhile True: pass',
    { cpuTime: second },
  ],
] as const)('%s: %s', async (verdict, source, limits) => {
  const execution = await api.runCode({
    language: 'python',
    source,
    limits: limits as never,
  });
  expect(execution).toMatchObject({ state: 'FINISHED', verdict });
});

test('a wrong answer is one', async () => {
  const execution = await api.runCode({
    language: 'python',
    source: 'print(2)',
    expectedOutput: '1',
  });
  expect(execution.verdict).toBe('WRONG_ANSWER');
});

test('output that is no text is flagged, and cut where it is too long', async () => {
  const source = 'import sys; sys.stdout.buffer.write(b"\\xff" * 100)';
  const execution = await api.runCode({
    language: 'python',
    source,
    limits: { outputBytes: 10 } as never,
  });
  expect(execution).toMatchObject({
    stdout: '\ufffd'.repeat(10),
    stdoutInvalidUtf8: true,
    stdoutTruncated: true,
  });
});
