import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Connection } from './connection.ts';
import { ConnectionLostError } from './errors.ts';
import { Job } from './executions.ts';
import { Execution } from './generated/drydock/v1/execution.ts';
import { follow } from './process-events.ts';

const LOST = new ConnectionLostError('lost');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A connection whose streams break, each after its messages of `messagesOf`. */
function breaking(messagesOf: (join: number) => unknown[]) {
  const joins: number[] = [];
  const stream = async function* () {
    joins.push(Date.now());
    yield* messagesOf(joins.length);
    throw LOST;
  };
  return { connection: { stream } as unknown as Connection, joins };
}

const started = { event: { $case: 'started', value: { processId: 'prc', pid: 7 } } };
const output = (offset: number) => ({
  event: { $case: 'stdout', value: { offset, content: { $case: 'text', value: 'x' } } },
});
const execution = (state: string, attempts = 1) => ({
  execution: Execution.create({ state: state as never, attempts }),
});

const readers = {
  'of a process': (connection: Connection) =>
    follow({
      connection,
      sandboxId: 'sbx',
      processId: 'prc',
      signal: new AbortController().signal,
      offset: { stdout: 0, stderr: 0 },
      any: false,
    }),
  'of an execution': (connection: Connection) => new Job(connection, 'exe').watch(),
};

async function drain(events: AsyncIterable<unknown>): Promise<unknown> {
  for await (const _ of events);
  return 'ended';
}

test.each([
  ['of a process', [started]],
  ['of an execution', [execution('RUNNING')]],
] as const)(
  'a stream %s that brings nothing new is joined again with growing pauses, and not for ever',
  async (kind, messages) => {
    const { connection, joins } = breaking(() => [...messages]);
    const drained = drain(readers[kind](connection)).catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    expect(await drained).toBe(LOST);
    expect(joins.length).toBe(11);
    const pauses = joins.slice(1).map((at, index) => at - joins[index]!);
    expect(pauses[0]).toBe(0);
    expect(Math.min(...pauses.slice(1))).toBeGreaterThan(40);
    expect(pauses.at(-1)).toBeGreaterThan(900);
  },
);

test.each([
  ['of a process', (join: number) => [started, output(join - 1)]],
  ['of an execution', (join: number) => [execution('RUNNING', join)]],
] as const)(
  'a stream %s that brings something each time is joined at once, as often as it breaks',
  async (kind, messagesOf) => {
    const { connection, joins } = breaking(messagesOf);
    const events = readers[kind](connection);
    for (let read = 0; read < 50; read++) expect((await events.next()).done).toBe(false);
    expect(joins.length).toBe(50);
    await events.return();
  },
);

test('a stream that lasted half a minute is not one of those that break one after the other', async () => {
  let joins = 0;
  const stream = async function* () {
    yield started;
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    if (++joins < 30) throw LOST;
    yield { event: { $case: 'exited', value: { exitCode: 0 } } };
  };
  const drained = drain(readers['of a process']({ stream } as unknown as Connection));
  await vi.runAllTimersAsync();
  expect(await drained).toBe('ended');
});
