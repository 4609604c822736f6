import { connect } from 'node:net';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DrydockError, type Reason } from '#libs/errors.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { ControlServiceDefinition, StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import { openTestLink, startTestAgent } from './agent-fixture.ts';
import { AgentError, fromAgent, isSilence } from './errors.ts';

let agent: Awaited<ReturnType<typeof startTestAgent>>;

beforeAll(async () => {
  agent = await startTestAgent();
});

afterAll(() => agent[Symbol.asyncDispose]());

async function end(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

const start = (processId: string, request: Partial<StartRequest>) =>
  agent.processes.start(StartRequest.create({ processId, ...request }));

async function failure(call: Promise<unknown>): Promise<AgentError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(AgentError);
  return error as AgentError;
}

test('an agent’s reasons are read from the typed detail', async () => {
  await end(start('prc_ended', { command: ['true'] }));
  const running = start('prc_running', { command: ['sleep', '1000'] })[Symbol.asyncIterator]();
  await running.next();
  const input = { data: Buffer.from('x'), close: false };
  const calls: [Reason, () => Promise<unknown>][] = [
    ['COMMAND_NOT_FOUND', () => end(start('prc_none', { command: ['/no/such'] }))],
    ['PROCESS_NOT_FOUND', () => agent.processes.signal({ processId: 'prc_none', signal: 15 })],
    ['PROCESS_ENDED', () => agent.processes.writeInput({ processId: 'prc_ended', ...input })],
    ['PROCESS_INPUT_CLOSED', () => agent.processes.writeInput({ processId: 'prc_running', ...input })],
    [
      'PROCESS_INPUT_CLOSED',
      () => agent.processes.resize({ processId: 'prc_running', terminal: { columns: 1, rows: 1 } }),
    ],
    ['FILE_NOT_FOUND', () => agent.files.stat({ path: '/RST_STREAM input closed' })],
    ['FILE_WRONG_TYPE', () => agent.files.listDirectory({ path: '/etc/passwd', after: '', limit: 0 })],
    ['FILE_EXISTS', () => agent.files.makeDirectory({ path: '/etc/passwd/x' })],
    ['FILE_PERMISSION_DENIED', () => agent.files.remove({ path: '/etc/passwd', recursive: false })],
    ['INVALID_FIELD', () => agent.files.stat({ path: 'x'.repeat(300) })],
  ];
  for (const [reason, call] of calls) {
    const error = await failure(call());
    expect([reason, error.reason, isSilence(error)]).toEqual([reason, reason, false]);
    expect(await fromAgent(error, new AbortController().signal)).toBe(error);
  }
  await running.return?.();
});

test('an agent’s message reaches the caller without control characters', async () => {
  const { message } = await failure(agent.files.stat({ path: '/a\u001b[2Jb' }));
  expect(message).toBe('open /a?[2Jb: no such file or directory');
});

test('a broken connection is silence, which the sandbox’s end explains', async () => {
  const running = start('prc_lost', { command: ['sleep', '1000'] })[Symbol.asyncIterator]();
  await running.next();
  const next = running.next();
  next.catch(() => {});
  agent.drop();
  const error = await failure(next);
  expect(isSilence(error)).toBe(true);
  const stopped = new DrydockError('SANDBOX_STOPPED', 'stopped');
  expect(await fromAgent(error, AbortSignal.abort(stopped))).toBe(stopped);
  const ended = new AbortController();
  const translated = fromAgent(error, ended.signal);
  ended.abort(stopped);
  expect(await translated).toBe(stopped);
  await expect
    .poll(() =>
      agent.control.ping({}).then(
        () => 'reached',
        () => 'not yet',
      ),
    )
    .toBe('reached');
});

test.each<Reason>(['CREDENTIAL_INVALID', 'QUOTA_EXCEEDED', 'SANDBOX_STOPPED'])(
  'a program in the agent’s place cannot answer with %s',
  async (reason) => {
    const error = new DrydockError(reason, 'a lie', { retryAfterMs: 1, metadata: { stopReason: 'DELETED' } });
    await using liar = await startServer({
      address: '127.0.0.1:0',
      services: [service(ControlServiceDefinition, { ping: async () => Promise.reject(error) })],
      log: pino({ level: 'silent' }),
    });
    await using link = await openTestLink((socket) => {
      const [outer, inner] = [connect(socket), connect(liar.port, '127.0.0.1')];
      outer.pipe(inner).pipe(outer);
    });
    const seen = await failure(link.control.ping({}));
    expect(seen).toMatchObject({ reason: 'INTERNAL', message: 'internal error', details: {} });
  },
);

test('an error of the requests themselves reaches the caller whole', async () => {
  const error = new DrydockError('INVALID_FIELD', 'data: too large', { fields: [{ field: 'data', description: 'x' }] });
  async function* requests() {
    yield { path: '/home/user/a', mode: 0, data: Buffer.from('x'), complete: false };
    throw error;
  }
  await expect(agent.files.write(requests())).rejects.toBe(error);
});
