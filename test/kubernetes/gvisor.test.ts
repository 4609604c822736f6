import { afterAll, beforeAll, expect, test } from 'vitest';
import { MiB, python, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { connectCluster } from '../support/cluster.ts';
import { silencedSandbox } from './silenced.ts';

let executor: TestExecutor;
let sandboxId: string;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 1, ceiling: 2 }, template: { runtime: 'gvisor' } });
  sandboxId = await executor.sandbox();
});

afterAll(() => executor[Symbol.asyncDispose]());

const inside = async (source: string) => (await executor.command(sandboxId, python(source))).stdout.trim();

test('a template with a RuntimeClass has its pods in it, and its programs a kernel of their own', async () => {
  const labelSelector = `drydock.dev/executor=${executor.id}`;
  const { items } = await connectCluster().core.listPodForAllNamespaces({ labelSelector });
  expect(new Set(items.map(({ spec }) => spec!.runtimeClassName))).toEqual(new Set(['gvisor']));
  expect(await inside('print(open("/proc/version").read())')).toMatch(/gvisor/i);
});

test('a program there has no rights, and reaches nothing', async () => {
  const names = 'import grp, os, pwd; print(pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name)';
  expect(await inside(names)).toBe('user user');
  const connect = `
import socket
for address in (("10.96.0.1", 443), ("169.254.169.254", 80), ("198.18.244.2", 10250)):
    s = socket.socket(); s.settimeout(0.5)
    print(s.connect_ex(address) == 0)`;
  expect((await inside(connect)).split('\n')).toEqual(['False', 'False', 'False']);
});

test('commands, files and programs that hang work as anywhere', async () => {
  await executor.writeFile(sandboxId, '/home/user/in.txt', 'from outside');
  expect(await inside('print(open("/home/user/in.txt").read())')).toBe('from outside');
  const { exited, stderr } = await executor.command(sandboxId, ['sh', '-c', 'echo wrong >&2; exit 7']);
  expect([exited.exitCode, stderr]).toEqual([7, 'wrong\n']);
});

test('a program that stops the agent harms its own sandbox alone, which can be removed', async () => {
  const silenced = await silencedSandbox(executor);
  expect(await inside('print("here")')).toBe('here');
  await executor.destroy(silenced);
  await expect(executor.command(silenced, ['true'])).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});

test.for([
  ['ACCEPTED', { source: 'print(int(input()) * 2)', stdin: Buffer.from('21\n'), expectedOutput: '42' }],
  ['WRONG_ANSWER', { source: 'print(1)', expectedOutput: '2' }],
  ['RUNTIME_ERROR', { source: 'raise SystemExit(3)' }],
  ['WALL_TIME_EXCEEDED', { source: 'import time; time.sleep(60)', limits: { wallTime: { seconds: 1, nanos: 0 } } }],
  ['OUTPUT_EXCEEDED', { source: 'while True: print("x" * 1000)' }],
  ['MEMORY_EXCEEDED', { source: `b = bytearray(${600 * MiB})\nfor i in range(0, len(b), 4096): b[i] = 1` }],
] as const)('the verdict %s is given there', async ([verdict, program]) => {
  expect((await executor.run(program)).verdict).toBe(verdict);
});
