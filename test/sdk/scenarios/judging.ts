import { expect } from 'vitest';
import { makeZip, openTenant, type Scenario, sdk } from '../fixture.ts';

const SQUARE = 'print(int(input()) ** 2)';
const square = (n: number, result = n ** 2) => ({ stdin: `${n}`, expectedOutput: `${result}` });

const GUESSES = `low, high = 1, 100
while True:
    guess = (low + high) // 2
    print(guess, flush=True)
    answer = input()
    if answer == "right": break
    low, high = (guess + 1, high) if answer == "more" else (low, guess - 1)`;
const HOLDS = `import sys
for guess in map(int, sys.stdin):
    print("right" if guess == 42 else "more" if guess < 42 else "less", flush=True)
    if guess == 42: sys.exit(42)
sys.exit(43)`;

export const judging: Record<string, Scenario> = {
  async points() {
    await using tenant = await openTenant();
    const testCases = [
      { ...square(2), group: 'all' },
      { ...square(3), group: 'some', points: 4 },
      { ...square(4, 0), group: 'some', points: 2 },
    ];
    const groups = [
      { name: 'all', points: 10 },
      { name: 'some', points: 6, aggregation: 'SUM' as const },
    ];
    expect(await tenant.drydock.run('python', SQUARE, { testCases, groups })).toMatchObject({
      verdict: 'WRONG_ANSWER',
      score: 14,
      maxScore: 16,
      groups: [
        { name: 'all', verdict: 'ACCEPTED', score: 10, maxScore: 10 },
        { name: 'some', verdict: 'WRONG_ANSWER', score: 4, maxScore: 6 },
      ],
    });
    const circle = groups.map((group, index) => ({ ...group, dependsOn: [groups[1 - index]!.name] }));
    await expect(tenant.drydock.run('python', SQUARE, { testCases, groups: circle })).rejects.toThrow(
      sdk.InvalidArgumentError,
    );
  },

  async interactive() {
    await using tenant = await openTenant();
    const job = await tenant.drydock.executions.submit({
      language: 'python',
      source: GUESSES,
      interactor: { language: 'python', source: HOLDS, protocol: 'KATTIS' },
      keepTranscript: true,
    });
    expect(await job.wait()).toMatchObject({ state: 'FINISHED', verdict: 'ACCEPTED' });
    const transcript = new TextDecoder().decode(await job.output('transcript'));
    expect(transcript).toContain('50');
    expect(transcript).toContain('less');
    expect(transcript).toContain('right');
  },

  async blob() {
    await using tenant = await openTenant();
    const { blobs } = tenant.drydock;
    const bytes = Uint8Array.from({ length: 3 * 1024 * 1024 }, () => 256 * Math.random());
    const { sha256, sizeBytes } = await blobs.put(bytes);
    expect(sizeBytes).toBe(bytes.length);
    const read = await blobs.read(sha256);
    expect([read.length, read.findIndex((byte, at) => byte !== bytes[at])]).toEqual([bytes.length, -1]);
    const unknown = '0'.repeat(64);
    expect(await blobs.stat([sha256, unknown])).toMatchObject({ blobs: [{ sha256 }], missing: [unknown] });
    const counts = 'import sys; print(len(sys.stdin.buffer.read()))';
    const testCases = [{ stdinBlob: sha256, expectedOutput: `${bytes.length}` }];
    expect(await tenant.drydock.run('python', counts, { testCases })).toMatchObject({ verdict: 'ACCEPTED' });
    const files = { 'main.py': "print(len(open('data', 'rb').read()))", data: { blob: sha256 } };
    expect(await tenant.drydock.executions.run({ language: 'python', files })).toMatchObject({
      stdout: `${bytes.length}\n`,
    });
    const error = await blobs.read(unknown).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.NotFoundError);
    expect(error).toMatchObject({ reason: 'BLOB_NOT_FOUND' });
  },

  async 'test-set'() {
    await using tenant = await openTenant();
    const { testSets, executions } = tenant.drydock;
    const { id } = await testSets.create({ name: 'squares', cases: [square(2), square(3)] });
    const job = await executions.submit({ language: 'python', source: SQUARE, testSet: id });
    expect((await job.wait()).cases).toMatchObject([{ verdict: 'ACCEPTED' }, { verdict: 'ACCEPTED' }]);
    expect(await testSets.list({ name: 'squares' }).toArray()).toMatchObject([{ id }]);
    await testSets.delete(id);
    await expect(testSets.get(id)).rejects.toThrow(sdk.NotFoundError);
  },

  async 'test-set-import'() {
    await using tenant = await openTenant();
    const { testSets } = tenant.drydock;
    const zip = await makeZip({ '1.in': '2\n', '1.ans': '4\n', '2.in': '3\n', '2.ans': '9\n' });
    const { testSet } = await testSets.import(zip, { name: 'squares' });
    const judged = await tenant.drydock.run('python', SQUARE, { testSet: testSet.id });
    expect(judged.cases).toMatchObject([{ verdict: 'ACCEPTED' }, { verdict: 'ACCEPTED' }]);
    const error = await testSets.import(new TextEncoder().encode('no zip')).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.InvalidArgumentError);
    expect(error).toMatchObject({ reason: 'PACKAGE_INVALID' });
  },
};
