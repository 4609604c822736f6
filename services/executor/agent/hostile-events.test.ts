import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Exited, StartRequest, StartResponse } from '#proto/drydock/agent/v1/agent.ts';
import { isSilence } from './errors.ts';
import { type Answer, frameOf, respond, startHostileAgent } from './hostile-agent-fixture.ts';
import { connectProcess, startProcess } from './processes.ts';

const ID = 'prc_ours';
const DEADLINE_MS = 20_000;

let link: Awaited<ReturnType<typeof startHostileAgent>>;
beforeAll(async () => {
  link = await startHostileAgent();
});
afterAll(() => link[Symbol.asyncDispose]());

type Event = NonNullable<StartResponse['event']>;
const started: Event = { $case: 'started', value: { processId: ID, pid: 7 } };
const strange: Event = { $case: 'started', value: { processId: 'prc_theirs', pid: 7 } };
const exited: Event = { $case: 'exited', value: Exited.create({}) };
const stdout = (offset: number, text: string): Event => ({
  $case: 'stdout',
  value: { offset, data: Buffer.from(text) },
});

const saying =
  (...events: Event[]): Answer =>
  (stream) => {
    respond(stream);
    for (const event of events) stream.write(frameOf(StartResponse.encode({ event }).finish()));
    stream.end();
  };

/** What a caller is told of a process, and how that ends. */
async function told(events: AsyncIterable<{ event?: { $case: string } | undefined }>): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const { event } of events) seen.push(event?.$case);
  } catch (error) {
    seen.push(isSilence(error) ? 'silence' : ((error as { reason?: string }).reason ?? error));
  }
  return seen;
}

const start = (signal = AbortSignal.timeout(DEADLINE_MS)) =>
  told(startProcess(link.processes, StartRequest.create({ processId: ID }), signal));
const join = () => {
  const request = { processId: ID, stdoutOffset: 0, stderrOffset: 0, takeOver: false };
  return told(connectProcess(link.processes, request, AbortSignal.timeout(DEADLINE_MS)));
};

test('events in their order are told as they are', async () => {
  link.agent.answer = saying(started, stdout(5, 'ab'), stdout(7, 'c'), exited);
  const all = ['started', 'stdout', 'stdout', 'exited'];
  expect([await start(), await join()]).toEqual([all, all]);
});

describe.each([
  ['start', start],
  ['join', join],
])('of a process that callers %s', (_, ask) => {
  test.each<[string, Event[], string[]]>([
    ['started twice', [started, started, exited], ['started', 'INTERNAL']],
    ['started again after output', [started, stdout(0, 'a'), started], ['started', 'stdout', 'INTERNAL']],
    ['started for another process', [strange, exited], ['INTERNAL']],
    ['output before it started', [stdout(0, 'a'), started], ['INTERNAL']],
    ['an exit before it started', [exited, started], ['INTERNAL']],
    ['output twice', [started, stdout(0, 'ab'), stdout(0, 'ab')], ['started', 'stdout', 'INTERNAL']],
    ['output that goes back', [started, stdout(4, 'ab'), stdout(5, 'b')], ['started', 'stdout', 'INTERNAL']],
    ['output from before the first byte', [started, stdout(-1, 'ab')], ['started', 'INTERNAL']],
    ['an exit twice', [started, exited, exited], ['started', 'exited', 'INTERNAL']],
    ['output after the exit', [started, exited, stdout(0, 'a')], ['started', 'exited', 'INTERNAL']],
    ['a start after the exit', [started, exited, started], ['started', 'exited', 'INTERNAL']],
    ['no exit', [started, stdout(0, 'a')], ['started', 'stdout', 'INTERNAL']],
    ['nothing', [], ['INTERNAL']],
  ])('%s ends in an error', async (_, events, expected) => {
    link.agent.answer = saying(...events);
    expect(await ask()).toEqual(expected);
  });
});

test('an exit is told once, though the connection breaks behind it', async () => {
  link.agent.answer = (stream) => {
    respond(stream);
    for (const event of [started, exited]) stream.write(frameOf(StartResponse.encode({ event }).finish()));
    // The answer to a ping comes after what was written.
    stream.session?.ping(() => stream.session?.destroy());
  };
  expect(await start()).toEqual(['started', 'exited']);
});

test('an agent that breaks every connection once it was joined is given up, and asked ever less often', async () => {
  const before = link.agent.calls;
  let bytes = 0;
  link.agent.answer = (stream) => {
    respond(stream);
    for (const event of [started, stdout(bytes++, 'a')])
      stream.write(frameOf(StartResponse.encode({ event }).finish()));
    setImmediate(() => stream.session?.destroy());
  };
  expect((await start()).at(-1)).toBe('silence');
  expect(link.agent.calls - before).toBeLessThan(20);
});
