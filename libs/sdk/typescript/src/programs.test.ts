import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { InvalidArgumentError, NotFoundError, QuotaExceededError } from './errors.ts';
import { Executions, Job } from './executions.ts';
import type { BatchSubmitResult } from './generated/drydock/v1/execution.ts';
import { type Program, toRequest } from './programs.ts';
import { Sandbox, Sandboxes, type SandboxInfo } from './sandbox.ts';
import { failure, serve } from './server-fixture.ts';

test('case may be of no account', () => {
  const program = { language: 'python', source: '', caseInsensitive: true };
  expect(toRequest(program)).toMatchObject({ caseInsensitive: true });
});

test('files are text, bytes or blobs', () => {
  const files = { a: 'text', b: Uint8Array.of(1), c: { blob: 'hash' } };
  expect(toRequest({ language: 'python', files }).files).toEqual([
    { name: 'a', content: { $case: 'text', value: 'text' } },
    { name: 'b', content: { $case: 'data', value: Uint8Array.of(1) } },
    { name: 'c', content: { $case: 'blob', value: 'hash' } },
  ]);
  const wrong = { d: { sha256: 'hash' } as unknown as { blob: string } };
  expect(() => toRequest({ language: 'python', files: wrong })).toThrow("there is no option 'sha256'");
});

test('points, groups and tolerances are sent as they are given', () => {
  const program = {
    language: 'python',
    floatAbsoluteTolerance: 0.1,
    floatRelativeTolerance: 0,
    parallelism: 4,
    testCases: [{ name: 'a', group: 'small', points: 2.5 }],
    groups: [
      { name: 'small', aggregation: 'SUM', onFailure: 'STOP' },
      { name: 'large', dependsOn: ['small'] },
    ],
  } satisfies Program;
  expect(toRequest(program)).toMatchObject({
    floatAbsoluteTolerance: 0.1,
    floatRelativeTolerance: 0,
    parallelism: 4,
    testCases: [{ name: 'a', stdin: '', group: 'small', points: 2.5 }],
    groups: [
      { name: 'small', aggregation: 'SUM', onFailure: 'STOP', dependsOn: [] },
      { name: 'large', aggregation: 'AGGREGATION_UNSPECIFIED', dependsOn: ['small'] },
    ],
  });
  const wrong = { ...program, groups: [{ name: 'x', onFailur: 'STOP' }] };
  expect(() => toRequest(wrong)).toThrow("there is no option 'onFailur'");
});

test('a checker has the convention that it asks for, and its own arguments', () => {
  const checker = { language: 'c', source: 'x', protocol: 'KATTIS', arguments: ['float_tolerance', '1e-6'] } as const;
  expect(toRequest({ language: 'c', source: 'x', checker }).checker).toMatchObject(checker);
  const interactor = { language: 'c', source: 'x', protocol: 'TESTLIB', wallTimeMs: 2000 } as const;
  expect(toRequest({ language: 'c', source: 'x', interactor, keepTranscript: true })).toMatchObject({
    interactor: { protocol: 'TESTLIB', wallTime: { seconds: 2 } },
    keepTranscript: true,
  });
  const plain = { language: 'c', source: 'x' };
  expect(toRequest({ ...plain, checker: plain }).checker).toMatchObject({
    protocol: 'PROTOCOL_UNSPECIFIED',
    arguments: [],
  });
});

test('a member of a batch that is refused has the class of its reason', async () => {
  const results = ['QUOTA_EXCEEDED', 'QUEUE_FULL', 'TEMPLATE_NOT_FOUND', 'INVALID_FIELD'].map((reason) => ({
    result: { $case: 'error', value: { reason, message: 'no', fieldViolations: [] } },
  })) as BatchSubmitResult[];
  using server = await serve({
    BatchSubmitExecutions: (_, answer) => answer(null, { results }),
  });
  const programs = results.map(() => ({ language: 'python', source: '' }));
  const members = await new Executions(server.connection).batch(programs);
  const classes = [QuotaExceededError, QuotaExceededError, NotFoundError, InvalidArgumentError];
  for (const [index, each] of members.entries()) {
    expect(each).not.toBeInstanceOf(Job);
    expect(each).toBeInstanceOf(classes[index]);
  }
});

test('an option that does not exist is refused wherever a sandbox is asked for', async () => {
  using server = await serve({ GetSandbox: (_, answer) => answer(failure(status.NOT_FOUND, 'SANDBOX_NOT_FOUND')) });
  const wrong = { requestTimout: '1s' } as object;
  const sandboxes = new Sandboxes(server.connection);
  const sandbox = new Sandbox(server.connection, { id: 'sbx' } as SandboxInfo, true);
  for (const asked of [sandboxes.get('sbx', wrong), sandboxes.connect('sbx', wrong), sandbox.getInfo(wrong)])
    await expect(asked).rejects.toThrow(InvalidArgumentError);
});
