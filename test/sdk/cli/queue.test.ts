import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTenant } from '../fixture.ts';
import { drydock, environment, openTerminal, temporaryDirectory } from './fixture.ts';

const SLOW = JSON.stringify({ language: 'python', source: 'import time\ntime.sleep(60)' });

async function given(files: Record<string, string>, quota?: { concurrentExecutions: number }) {
  const tenant = await openTenant(quota ? { quota } : {});
  const directory = await temporaryDirectory();
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory.path, name), content);
  const env = environment(tenant.secret);
  return {
    ...tenant,
    env,
    directory: directory.path,
    queue: (args: string[], input = '') => drydock(['queue', ...args], { env, cwd: directory.path, input }),
    async [Symbol.asyncDispose]() {
      await directory[Symbol.asyncDispose]();
      await tenant[Symbol.asyncDispose]();
    },
  };
}

function squares(count: number): string {
  const lines = Array.from({ length: count }, (_, i) => {
    const expected = i % 10 === 0 ? 'wrong' : `${i ** 2}`;
    return JSON.stringify({
      language: 'python',
      source: 'print(int(input())**2)',
      stdin: `${i}`,
      expectedOutput: expected,
    });
  });
  return `${lines.join('\n')}\n`;
}

test.concurrent('a program is queued, waited for, shown, and its output read', async () => {
  await using user = await given({ 'main.py': 'print(input())', in: 'a', out: 'a' });
  const { stdout } = await user.queue(['submit', 'main.py', '--stdin', 'in', '--expected', 'out', '--quiet']);
  const id = stdout.trim();
  const waited = await user.queue(['wait', id]);
  expect([JSON.parse(waited.stdout), waited.exitCode]).toMatchObject([{ id, verdict: 'ACCEPTED' }, 0]);
  expect((await user.queue(['output', id])).stdout).toBe('a\n');
  expect(JSON.parse((await user.queue(['list'])).stdout)).toMatchObject([{ id }]);
  expect((await user.queue(['watch', id, '-o', 'table'])).stdout).toBe('FINISHED ACCEPTED\n');
  await writeFile(join(user.directory, 'out'), 'b');
  const wrong = await user.queue(['submit', 'main.py', '--stdin', 'in', '--expected', 'out', '--wait', '-o', 'table']);
  expect(wrong).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('WRONG_ANSWER') });
});

test.concurrent('a program that runs is cancelled', async () => {
  await using user = await given({ 'main.py': 'import time\ntime.sleep(60)' });
  const id = (await user.queue(['submit', 'main.py', '--quiet'])).stdout.trim();
  expect(JSON.parse((await user.queue(['cancel', id])).stdout)).toMatchObject([{ id }]);
  expect((await user.queue(['wait', id])).exitCode).toBe(1);
  expect((await user.drydock.executions.get(id)).state).toBe('CANCELLED');
});

test.concurrent('a file of programs becomes a line of result each', async () => {
  await using user = await given({ 'all.jsonl': `${squares(30)}{"language":"klingon","source":"x"}\n\n` });
  const { stdout, stderr, exitCode } = await user.queue(['batch', 'all.jsonl']);
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(results.map(({ line }) => line).sort((a, b) => a - b)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
  const counts = Object.groupBy(results, ({ verdict, error }) => verdict ?? error.reason);
  expect(counts.ACCEPTED).toHaveLength(27);
  expect(counts.WRONG_ANSWER).toHaveLength(3);
  expect(counts.LANGUAGE_NOT_FOUND).toMatchObject([{ line: 31 }]);
  expect([stderr, exitCode]).toEqual(['', 1]);
});

test.concurrent('progress, rate, time left and verdicts are told on a terminal', async () => {
  await using user = await given({ 'all.jsonl': squares(60) });
  await using terminal = openTerminal(['queue', 'batch', 'all.jsonl'], {
    env: user.env,
    cwd: user.directory,
    columns: 100,
  });
  await terminal.showing(/█░* +\d+\/60 +[\d.]+\/s +\S.* left +.*ACCEPTED \d+/);
  expect(await terminal.ended).toBe(1);
  expect(terminal.text().split('\n').sort()).toEqual(['ACCEPTED 54', 'WRONG_ANSWER 6']);
});

test.concurrent('20 columns are enough for progress', async () => {
  await using user = await given({ 'all.jsonl': squares(20) });
  await using terminal = openTerminal(['queue', 'batch', 'all.jsonl'], {
    env: user.env,
    cwd: user.directory,
    columns: 20,
  });
  await terminal.showing(/^\D*\d+\/20/m);
  await terminal.ended;
  expect(terminal.text().split('\n').sort()).toEqual(['ACCEPTED 18', 'WRONG_ANSWER 2']);
});

test.concurrent('Ctrl-C cancels what has not ended', async ({ expect }) => {
  await using user = await given({ 'all.jsonl': `${SLOW}\n`.repeat(20) }, { concurrentExecutions: 2 });
  await using terminal = openTerminal(['queue', 'batch', 'all.jsonl'], { env: user.env, cwd: user.directory });
  await terminal.showing('0/20');
  await expect.poll(async () => (await user.drydock.executions.list().toArray()).length).toBe(20);
  terminal.type('\x03');
  expect(await terminal.ended).toBe(130);
  const open = user.drydock.executions.list({ states: ['QUEUED', 'RUNNING'] });
  await expect.poll(async () => (await open.toArray()).length).toBe(0);
});

test.concurrent('a file that is wrong queues nothing', async () => {
  await using user = await given({
    'bad.jsonl': `${squares(1)}{"language":\n`,
    'list.jsonl': '[]\n',
    'empty.jsonl': '\n',
  });
  const cases: [string, RegExp][] = [
    ['bad.jsonl', /bad\.jsonl:2 is not JSON/],
    ['list.jsonl', /list\.jsonl:1 is not a JSON object/],
    ['empty.jsonl', /no submission/],
    ['nosuch.jsonl', /no such file/],
  ];
  for (const [name, stderr] of cases)
    expect(await user.queue(['batch', name])).toEqual({
      stdout: '',
      stderr: expect.stringMatching(stderr),
      exitCode: 125,
    });
  const detached = await user.queue(['batch', '--detach', '-'], squares(2));
  expect(
    detached.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { line: 1, id: expect.stringMatching(/^exe_/) },
    { line: 2, id: expect.stringMatching(/^exe_/) },
  ]);
  expect(await user.drydock.executions.list().toArray()).toHaveLength(2);
});
