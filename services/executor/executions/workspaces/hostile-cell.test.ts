import type { Http2Session } from 'node:http2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '#libs/log.ts';
import { Exited, RunRequest, RunResponse, StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import { frameOf, respond, startHostileAgent } from '../../agent/hostile-agent-fixture.ts';
import type { Backend } from '../../backends/backend.ts';
import type { CellHost, CellHosts } from '../cell-hosts.ts';
import { openCellWorkspace } from './cell.ts';

const MiB = 1024 * 1024;
const DEADLINE_MS = 20_000;

let link: Awaited<ReturnType<typeof startHostileAgent>>;
beforeAll(async () => {
  link = await startHostileAgent();
});
afterAll(() => link[Symbol.asyncDispose]());

type Event = NonNullable<RunResponse['event']>;
const opened: Event = { $case: 'opened', value: {} };
const kept: Event = { $case: 'kept', value: {} };
const started: Event = { $case: 'started', value: { processId: 'prc_1', pid: 7 } };
const exited: Event = { $case: 'exited', value: Exited.create({}) };
const refused: Event = { $case: 'refused', value: { message: 'no' } };
const stdout: Event = { $case: 'stdout', value: { offset: 0, data: Buffer.from('a') } };

/** What a step in a cell is told by an agent that says this once it is asked to start, and the bytes that the agent was sent. */
async function step(
  events: Event[],
  stdin: Buffer,
  afterInput: Event[] = [],
): Promise<{ told: string[]; sent: number }> {
  let sent = 0;
  let isFed = false;
  link.agent.answer = (stream) => {
    respond(stream);
    const say = (event: Event) => stream.write(frameOf(RunResponse.encode({ event }).finish()));
    say(opened);
    const start = RunRequest.encode({ request: { $case: 'start', value: StartRequest.create({}) } }).finish();
    let waits = true;
    stream.on('data', (data: Buffer) => {
      sent += data.length;
      if (waits && sent > start.length + 5) {
        waits = false;
        for (const event of events) say(event);
      }
      if (isFed || sent < stdin.length) return;
      isFed = true;
      // Time in which more would come, if there were more.
      void pings(stream.session, 50).then(() => !stream.destroyed && afterInput.forEach(say));
    });
  };
  const limits = { memoryBytes: 256 * MiB, processes: 64, diskBytes: 64 * MiB, cpus: 1 };
  const host = { instance: { id: 'ins_1', link }, limits, lifetime: new AbortController() } as unknown as CellHost;
  const cellHosts: Partial<CellHosts> = {
    take: async () => host,
    release: async (_, closed) => void (await closed),
    discard: async () => {},
  };
  const dependencies = { cellHosts: cellHosts as CellHosts, backend: {} as Backend, log: createLogger('test') };
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const spec = SandboxSpec.fromPartial({ organizationId: 'org_1', template: 'python', limits });
  const told: string[] = [];
  await using workspace = await openCellWorkspace(dependencies, spec, signal);
  for await (const { $case } of workspace.start(StartRequest.create({}), stdin, signal)) told.push($case);
  return { told, sent };
}

/** Fewer where the connection ends before. */
async function pings(session: Http2Session | undefined, count: number): Promise<void> {
  for (let i = 0; i < count && session && !session.destroyed; i++)
    await new Promise<void>((resolve) => session.ping(() => resolve()));
}

test('an agent that says a thousand times that a step has started is sent its input once', async () => {
  const input = Buffer.alloc(MiB);
  const { told, sent } = await step(Array(1_000).fill(started), input, [exited]);
  expect(told).toEqual([...Array(1_000).fill('started'), 'exited']);
  expect(sent).toBeLessThan(2 * MiB);
});

test.each<[string, Event[], string[]]>([
  ['exited twice', [started, exited, exited], ['started', 'exited']],
  ['refused after the exit', [started, exited, refused], ['started', 'exited']],
  ['output after the exit', [started, stdout, exited, stdout], ['started', 'stdout', 'exited']],
  ['a refusal, and then a start', [refused, started, exited], ['refused']],
  ['that it was opened again', [opened, started, opened, exited], ['started', 'exited']],
  ['that it was kept', [kept, started, kept, exited], ['started', 'exited']],
])('a step ends with the first end that an agent tells of, here %s', async (_, events, expected) => {
  expect((await step(events, Buffer.alloc(0))).told).toEqual(expected);
});
