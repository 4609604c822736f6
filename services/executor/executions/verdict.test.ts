import { expect, test } from 'vitest';
import { Exited } from '#proto/drydock/agent/v1/agent.ts';
import { AppliedLimits, ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { failureOf, type StepEnd } from './verdict.ts';

const SECOND = 1e9;
const step = ExecutionStep.fromPartial({
  heapFullSignal: 'SIGABRT',
  limits: AppliedLimits.fromPartial({ wallTime: { seconds: 2 }, cpuTime: { seconds: 1 }, memoryBytes: 1000 }),
});

function ended(exited: Partial<Exited> | undefined, more: Partial<StepEnd> & { words?: string } = {}): StepEnd {
  const { words = '', ...rest } = more;
  return {
    exited: exited && Exited.create(exited),
    lost: undefined,
    stdout: Buffer.from('1\n'),
    stderr: Buffer.from(words),
    peakMemoryBytes: 1000,
    ...rest,
  };
}

test.each<[string, StepEnd, Verdict | undefined]>([
  ['an end like any other', ended({ wallNanoseconds: 2 * SECOND, cpuNanoseconds: SECOND }), undefined],
  ['a bad exit', ended({ exitCode: 1 }), 'RUNTIME_ERROR'],
  ['a signal', ended({ exitCode: -1, signal: 11 }), 'RUNTIME_ERROR'],
  ['an OOM kill of a child that it survived', ended({ oomKills: 1 }), 'MEMORY_EXCEEDED'],
  ['an OOM kill', ended({ exitCode: -1, signal: 9, oomKills: 1 }), 'MEMORY_EXCEEDED'],
  ['a peak above the limit', ended({}, { peakMemoryBytes: 1001 }), undefined],
  ['a full heap', ended({ exitCode: -1, signal: 6, residentBytes: 501 }), 'MEMORY_EXCEEDED'],
  ['an abort of a small program', ended({ exitCode: -1, signal: 6, residentBytes: 500 }), 'RUNTIME_ERROR'],
  ['another signal of a large program', ended({ exitCode: -1, signal: 11, residentBytes: 900 }), 'RUNTIME_ERROR'],
  ['no peak', ended({}, { peakMemoryBytes: undefined }), undefined],
  ['last words about memory', ended({ exitCode: 1 }, { words: 'File "x"\nMemoryError\n' }), 'RUNTIME_ERROR'],
  ['too much time and memory', ended({ limit: 'LIMIT_KIND_WALL_TIME', oomKills: 1 }), 'WALL_TIME_EXCEEDED'],
  ['too much CPU time', ended({ limit: 'LIMIT_KIND_CPU_TIME', signal: 9 }), 'CPU_TIME_EXCEEDED'],
  ['a millisecond of CPU time too much', ended({ cpuNanoseconds: 1.001 * SECOND }), 'CPU_TIME_EXCEEDED'],
  ['a millisecond too much', ended({ wallNanoseconds: 2.001 * SECOND }), 'WALL_TIME_EXCEEDED'],
  ['too much output', ended({ limit: 'LIMIT_KIND_OUTPUT', signal: 9 }), 'OUTPUT_EXCEEDED'],
  ['too much output and memory', ended({ limit: 'LIMIT_KIND_OUTPUT', oomKills: 1 }), 'MEMORY_EXCEEDED'],
  ['too much output and time', ended({ limit: 'LIMIT_KIND_OUTPUT', cpuNanoseconds: 2 * SECOND }), 'CPU_TIME_EXCEEDED'],
  ['the end of its sandbox for want of memory', ended(undefined, { lost: 'OUT_OF_MEMORY' }), 'MEMORY_EXCEEDED'],
  ['the end of its sandbox', ended(undefined, { lost: 'EXITED' }), 'RUNTIME_ERROR'],
  ['no answer', ended(undefined, { lost: 'OVERDUE' }), 'WALL_TIME_EXCEEDED'],
])('%s', (_, how, verdict) => {
  expect(failureOf(step, how)).toBe(verdict);
});
