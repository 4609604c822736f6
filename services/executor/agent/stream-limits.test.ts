import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OpenRequest, StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import { STREAMS, startTestAgent } from './agent-fixture.ts';

const ASKED = 1000;

let agent: Awaited<ReturnType<typeof startTestAgent>>;

beforeEach(async () => {
  agent = await startTestAgent();
});

afterEach(() => agent[Symbol.asyncDispose]());

/** Opens streams of one kind up to its limit, and counts the refused ones. */
async function openMany<T>(open: (signal: AbortSignal) => AsyncIterable<T>) {
  const end = new AbortController();
  const ended: Promise<unknown>[] = [];
  const follow = async () => {
    const stream = open(end.signal)[Symbol.asyncIterator]();
    await stream.next();
    ended.push(stream.next().catch(() => {}));
  };
  const outcomes = await Promise.allSettled(Array.from({ length: ASKED }, follow));
  const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  return {
    refusals,
    async end() {
      end.abort();
      await Promise.all(ended);
    },
  };
}

async function startsAProcess(): Promise<void> {
  const request = StartRequest.create({ processId: 'prc_other', command: ['true'] });
  const events: unknown[] = [];
  for await (const { event } of agent.processes.start(request)) events.push(event?.$case);
  expect(events).toEqual(['started', 'exited']);
}

test('a thousand idle tunnels leave streams for processes, files and control', async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).write('open');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const many = await openMany(async function* (signal) {
    yield* agent.tunnels.open(requests(port, signal), { signal });
  });
  expect(many.refusals).toHaveLength(ASKED - STREAMS.tunnels);
  expect(many.refusals[0]).toMatchObject({
    reason: 'TOO_MANY_STREAMS',
    message: 'the sandbox has 128 tunnels open; end one, then try again',
    details: { retryAfterMs: 1000, metadata: { kind: 'tunnels', limit: '128' } },
  });
  await startsAProcess();
  await agent.files.stat({ path: '/' });
  await agent.control.ping({});
  await many.end();
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** A tunnel's first request, and then nothing until it ends. */
async function* requests(port: number, signal: AbortSignal): AsyncIterable<OpenRequest> {
  yield OpenRequest.create({ port });
  if (!signal.aborted) await once(signal, 'abort');
}

test('a stream that ended is replaced by another, and followed processes leave streams for other kinds', async () => {
  const sleep = StartRequest.create({ processId: 'prc_sleep', command: ['sleep', '1000'], detached: true });
  const first = agent.processes.start(sleep)[Symbol.asyncIterator]();
  await first.next();
  await first.return?.();
  const join = { processId: 'prc_sleep', stdoutOffset: 0, stderrOffset: 0, takeOver: false };
  const many = await openMany((signal) => agent.processes.connect(join, { signal }));
  expect(many.refusals).toHaveLength(ASKED - STREAMS.processes);
  await expect(startsAProcess()).rejects.toMatchObject({ reason: 'TOO_MANY_STREAMS' });
  await agent.files.stat({ path: '/' });
  await agent.control.ping({});
  expect((await agent.processes.list({})).processes).toHaveLength(1);
  await many.end();
  await startsAProcess();
});
