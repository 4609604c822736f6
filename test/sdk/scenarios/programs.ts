import { expect } from 'vitest';
import { apiKey, httpUrl, openTenant, type Scenario, sdk } from '../fixture.ts';

const drydock = new sdk.Drydock({ url: httpUrl, apiKey });
const SQUARE = 'print(int(input()) ** 2)';
const SLEEP = 'import time\nprint("up", flush=True)\ntime.sleep(60)';

export const programs: Record<string, Scenario> = {
  async hello() {
    const { verdict, stdout, exitCode, usage } = await drydock.run('python', 'print(6 * 7)');
    expect({ verdict, stdout, exitCode }).toEqual({ verdict: 'ACCEPTED', stdout: '42\n', exitCode: 0 });
    expect(usage!.wallTimeMs).toBeGreaterThan(0);
  },

  async 'program-fails'() {
    const { verdict, exitCode, stderr } = await drydock.run('python', 'import sys; sys.exit("broken")');
    expect({ verdict, exitCode, stderr }).toEqual({ verdict: 'RUNTIME_ERROR', exitCode: 1, stderr: 'broken\n' });
  },

  async 'compile-error'() {
    const { verdict, compile } = await drydock.run('c', 'int main() { return x; }');
    expect(verdict).toBe('COMPILE_ERROR');
    expect(compile).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('undeclared') });
  },

  async 'program-killed-by-limit'() {
    const { verdict } = await drydock.run('python', 'while True: pass', {
      limits: { cpuTime: '300ms', wallTimeMs: 5_000 },
    });
    expect(verdict).toBe('CPU_TIME_EXCEEDED');
  },

  async 'program-files'() {
    const { stdout } = await drydock.executions.run({
      language: 'python',
      files: {
        'main.py':
          'import os, sys, other\nprint(other.NAME, sys.argv[1:], os.environ["COLOUR"], input(), open("data.bin", "rb").read())',
        'other.py': 'NAME = "other"',
        'data.bin': Uint8Array.of(0, 255),
      },
      arguments: ['a b'],
      environment: { COLOUR: 'blue' },
      stdin: 'line\n',
    });
    expect(stdout).toBe("other ['a b'] blue line b'\\x00\\xff'\n");
  },

  async judge() {
    const { verdict, cases } = await drydock.run('python', SQUARE, {
      testCases: [
        { name: 'right', stdin: '3', expectedOutput: '9' },
        { name: 'wrong', stdin: '3', expectedOutput: '8' },
      ],
    });
    expect(verdict).toBe('WRONG_ANSWER');
    expect(cases).toMatchObject([
      { name: 'right', verdict: 'ACCEPTED' },
      { name: 'wrong', verdict: 'WRONG_ANSWER', stdout: '9\n' },
    ]);
  },

  async 'program-streamed'() {
    const seen: string[] = [];
    // In one piece each: output is not held back until its line ends.
    const source = 'import os, time\nfor i in range(3): os.write(1, b"%d\\n" % i); time.sleep(0.2)';
    for await (const event of drydock.executions.stream({ language: 'python', source })) {
      if (event.type === 'stdout') seen.push(event.text);
      if (event.type === 'finished') seen.push(event.execution.stdout);
    }
    expect(seen).toEqual(['0\n', '1\n', '2\n', '0\n1\n2\n']);
  },

  async 'program-cancelled'() {
    await using tenant = await openTenant();
    const ending = new AbortController();
    const program = { language: 'python', source: SLEEP };
    const ended = (async () => {
      for await (const { type } of tenant.drydock.executions.stream(program, { signal: ending.signal }))
        if (type === 'stdout') ending.abort(new Error('enough'));
    })();
    await expect(ended).rejects.toThrow('enough');
    const states = async () => (await tenant.drydock.executions.list().toArray()).map(({ state }) => state);
    await expect.poll(states, { timeout: 10_000 }).toEqual(['CANCELLED']);
  },

  async 'unknown-language'() {
    const error = await drydock.run('latin', 'x').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.InvalidArgumentError);
    expect(error).toMatchObject({ reason: 'LANGUAGE_NOT_FOUND' });
  },

  async queue() {
    const job = await drydock.executions.submit({
      language: 'python',
      source: SQUARE,
      stdin: '5',
      expectedOutput: '25',
    });
    const { id, state, verdict } = await job.wait();
    expect({ id, state, verdict }).toEqual({ id: job.id, state: 'FINISHED', verdict: 'ACCEPTED' });
    await expect(drydock.executions.job('exe_01jv0000000000000000000000').wait()).rejects.toThrow(sdk.NotFoundError);
  },

  async 'queue-watch'() {
    const job = await drydock.executions.submit({ language: 'python', source: 'import time; time.sleep(0.5)' });
    const states: string[] = [];
    for await (const { state } of job.watch()) states.push(state);
    expect(states.at(-1)).toBe('FINISHED');
    expect(['QUEUED', 'RUNNING']).toContain(states[0]);
  },

  async 'queue-cancel'() {
    const job = await drydock.executions.submit({ language: 'python', source: SLEEP });
    expect(await job.cancel()).toMatchObject({ state: 'CANCELLED' });
    expect(await job.wait()).toMatchObject({ state: 'CANCELLED' });
  },

  async 'queue-batch'() {
    const submissions = Array.from({ length: 99 }, (_, i) => ({ language: 'python', source: SQUARE, stdin: `${i}` }));
    const results = await drydock.executions.batch([...submissions, { language: 'latin', source: 'x' }]);
    const jobs = results.filter((result) => 'wait' in result);
    expect(jobs).toHaveLength(99);
    expect(results.at(-1)).toMatchObject({ reason: 'LANGUAGE_NOT_FOUND' });
    const ended = await Promise.all(jobs.map((job) => job.wait()));
    expect(ended.map(({ stdout }) => stdout)).toEqual(submissions.map(({ stdin }) => `${Number(stdin) ** 2}\n`));
  },

  async 'queue-list'() {
    await using tenant = await openTenant();
    const submissions = Array.from({ length: 60 }, () => ({ language: 'python', source: 'print(1)', priority: 1 }));
    const jobs = await tenant.drydock.executions.batch(submissions);
    const listed = await tenant.drydock.executions.list().toArray();
    expect(listed.map(({ id }) => id).sort()).toEqual(jobs.map((job) => ('id' in job ? job.id : '')).sort());
    expect(await tenant.drydock.executions.list().toArray({ limit: 7 })).toHaveLength(7);
  },

  async 'queue-output'() {
    const source = 'import sys\nsys.stdout.buffer.write(b"\\xff" + b"x" * 400_000)';
    const job = await drydock.executions.submit({ language: 'python', source });
    expect(await job.wait()).toMatchObject({ stdoutTruncated: true, stdoutInvalidUtf8: true });
    const bytes = await job.output('stdout');
    expect([bytes.length, bytes[0]]).toEqual([400_001, 255]);
  },
};
