import { expect, test } from 'vitest';
import { Exited } from '#proto/drydock/agent/v1/agent.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { type Ended, verdictOf } from './verdict.ts';

const spec = { expectedOutput: '1', comparison: 'TRAILING_SPACE', floatTolerance: 1e-6 } as const;

function ended(exited: Partial<Exited> | undefined, more: Partial<Ended> = {}): Ended {
  const found = exited && Exited.create(exited);
  return { exited: found, lost: undefined, stdout: Buffer.from('1\n'), stderr: Buffer.alloc(0), ...more };
}

test.each<[string, Ended, Verdict]>([
  ['the expected output', ended({}), 'ACCEPTED'],
  ['other output', ended({}, { stdout: Buffer.from('2') }), 'WRONG_ANSWER'],
  ['the expected output and a bad exit', ended({ exitCode: 1 }), 'RUNTIME_ERROR'],
  ['a signal', ended({ exitCode: -1, signal: 11 }), 'RUNTIME_ERROR'],
  ['an OOM kill of a child that it survived', ended({ oomKills: 1 }), 'MEMORY_EXCEEDED'],
  ['an OOM kill', ended({ exitCode: -1, signal: 9, oomKills: 1 }), 'MEMORY_EXCEEDED'],
  ['too much time and memory', ended({ limit: 'LIMIT_KIND_WALL_TIME', oomKills: 1 }), 'WALL_TIME_EXCEEDED'],
  ['too much CPU time', ended({ limit: 'LIMIT_KIND_CPU_TIME', signal: 9 }), 'CPU_TIME_EXCEEDED'],
  ['too much output', ended({ limit: 'LIMIT_KIND_OUTPUT', signal: 9 }), 'OUTPUT_EXCEEDED'],
  ['too much output and memory', ended({ limit: 'LIMIT_KIND_OUTPUT', oomKills: 1 }), 'MEMORY_EXCEEDED'],
  ['the end of its sandbox for want of memory', ended(undefined, { lost: 'OUT_OF_MEMORY' }), 'MEMORY_EXCEEDED'],
  ['the end of its sandbox', ended(undefined, { lost: 'EXITED' }), 'RUNTIME_ERROR'],
  ['no answer', ended(undefined, { lost: 'OVERDUE' }), 'WALL_TIME_EXCEEDED'],
])('%s', (_, how, verdict) => {
  expect(verdictOf(spec, how)).toBe(verdict);
});

test('without an expected output, success is enough', () => {
  expect(verdictOf({ ...spec, expectedOutput: undefined }, ended({}, { stdout: Buffer.from('2') }))).toBe('ACCEPTED');
});

test('an empty expected output is one', () => {
  expect(verdictOf({ ...spec, expectedOutput: '' }, ended({}))).toBe('WRONG_ANSWER');
});
