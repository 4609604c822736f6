import { expect, test } from 'vitest';
import { createInterpreter } from './events.ts';

const SECOND = 1_000_000_000;

function endsOf(...events: [action: string, seconds: number, exitCode?: string][]): string[] {
  const ends: string[] = [];
  const handle = createInterpreter((_, reason) => ends.push(reason));
  for (const [Action, seconds, exitCode] of events)
    handle({
      Action,
      timeNano: seconds * SECOND,
      Actor: { Attributes: { 'drydock.instance': 'ins_1', ...(exitCode && { exitCode }) } },
    });
  return ends;
}

test('a container killed right after it ran out of memory ended for want of it', () => {
  expect(endsOf(['oom', 10], ['die', 10.01, '137'])).toEqual(['OUT_OF_MEMORY']);
});

test('a child that ran out of memory long before is not why a container ends', () => {
  expect(endsOf(['oom', 10], ['die', 60, '137'])).toEqual(['EXITED']);
  expect(endsOf(['oom', 10], ['die', 10.5, '0'])).toEqual(['EXITED']);
});

test('containers of somebody else are passed over', () => {
  const ends: string[] = [];
  createInterpreter((id) => ends.push(id))({ Action: 'die', Actor: { Attributes: {} } });
  expect(ends).toEqual([]);
});
