import { expect, test } from 'vitest';
import { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import { toResultEvent } from './results.ts';

const MiB = 1024 * 1024;

test('a result carries each output once, as the bytes that they were', () => {
  const [stdout, stderr] = [Buffer.alloc(4 * MiB, 'a'), Buffer.alloc(4 * MiB, 0xff)];
  const message = RunExecutionResponse.encode(toResultEvent({ verdict: 'ACCEPTED' }, { stdout, stderr })).finish();
  expect(message.length).toBeLessThan(8 * MiB + 1024);
  expect(RunExecutionResponse.decode(message)).toMatchObject({
    event: { $case: 'result', value: { execution: { verdict: 'ACCEPTED', state: 'FINISHED' }, stdout, stderr } },
  });
});
