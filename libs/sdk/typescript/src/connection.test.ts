import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type ServerReadableStream, type ServerUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { ClientClosedError, TimeoutError, UnauthenticatedError, UnavailableError } from './errors.ts';
import { Executions } from './executions.ts';
import { Files } from './files.ts';
import type { ExchangeTokenResponse } from './generated/drydock/v1/auth.ts';
import { Execution } from './generated/drydock/v1/execution.ts';
import { FileInfo, type WriteFileRequest, type WriteFileResponse } from './generated/drydock/v1/file.ts';
import type { GetSandboxResponse } from './generated/drydock/v1/sandbox.ts';
import { Sandboxes } from './sandbox.ts';
import { failure, serve } from './server-fixture.ts';

type Answer<T> = (error: unknown, value?: T) => void;
type Upload = ServerReadableStream<WriteFileRequest, WriteFileResponse>;

const UNAVAILABLE = failure(status.UNAVAILABLE, 'SERVICE_UNAVAILABLE');
const REFUSED = failure(status.UNAUTHENTICATED, 'CREDENTIAL_INVALID');

/** Exchanges keys for tokens, each for another one. */
function exchange() {
  let tokens = 0;
  return (_: ServerUnaryCall<unknown, unknown>, answer: Answer<ExchangeTokenResponse>) =>
    answer(null, { token: `token-${++tokens}`, expireTime: undefined } as ExchangeTokenResponse);
}

/** Files that are written, and a refusal of the first try once it was read. */
function refuseFirst() {
  const written: string[] = [];
  let tries = 0;
  return {
    written,
    async WriteFile(call: Upload, answer: Answer<WriteFileResponse>) {
      const first = ++tries === 1;
      let content = '';
      for await (const { data } of call) {
        content += Buffer.from(data ?? []);
        if (first && content) return answer(REFUSED);
      }
      written.push(content);
      answer(null, { file: FileInfo.create() });
    },
  };
}

async function* stream(text: string) {
  yield Buffer.from(text);
}

describe('a token that is refused', () => {
  test('is exchanged anew for text, which is sent again', async () => {
    const { written, WriteFile } = refuseFirst();
    using server = await serve({ ExchangeToken: exchange(), WriteFile }, { apiKey: 'dk_key' });
    await new Files(server.connection, 'sbx').write('a', 'text');
    expect(written).toEqual(['text']);
  });

  test('fails a stream, which can be read only once', async () => {
    const { written, WriteFile } = refuseFirst();
    using server = await serve({ ExchangeToken: exchange(), WriteFile }, { apiKey: 'dk_key' });
    const files = new Files(server.connection, 'sbx');
    await expect(files.write('a', stream('text'))).rejects.toThrow(UnauthenticatedError);
    expect(written).toEqual([]);
    await files.write('a', stream('more'));
    expect(written).toEqual(['more']);
  });
});

describe('an upload whose source says nothing', () => {
  const silent = () => ({
    async *[Symbol.asyncIterator]() {
      yield Buffer.from('first');
      await new Promise(() => {});
    },
  });

  test.each([
    ['refused', 'SANDBOX_NOT_RUNNING', () => ({})],
    ['at its deadline', 'no answer within requestTimeout', () => ({ requestTimeoutMs: 300 })],
    ['aborted', 'enough', (signal: AbortSignal) => ({ signal })],
  ] as const)('ends when it is %s', async (how, message, optionsOf) => {
    const ending = new AbortController();
    const WriteFile = (call: Upload, answer: Answer<WriteFileResponse>) =>
      call.once('data', () => {
        if (how === 'refused') answer(failure(status.FAILED_PRECONDITION, 'SANDBOX_NOT_RUNNING'));
        if (how === 'aborted') ending.abort(new Error('enough'));
      });
    using server = await serve({ WriteFile });
    const writing = new Files(server.connection, 'sbx').write('a', silent(), optionsOf(ending.signal));
    const outcome = await Promise.race([writing.catch(({ message }: Error) => message), pause(5_000, 'still writing')]);
    expect(outcome).toContain(message);
  });
});

describe('while keys cannot be exchanged', () => {
  test('a call asks as often as it is repeated', async () => {
    let exchanges = 0;
    const ExchangeToken = (_: unknown, answer: Answer<ExchangeTokenResponse>) => {
      exchanges += 1;
      answer(UNAVAILABLE);
    };
    using server = await serve({ ExchangeToken }, { apiKey: 'dk_key', maxRetries: 2 });
    await expect(new Sandboxes(server.connection).get('sbx')).rejects.toThrow(UnavailableError);
    expect(exchanges).toBe(3);
  });

  test('a call that must not be made twice waits too: it was not made', async () => {
    let [exchanges, removals] = [0, 0];
    const ExchangeToken = (_: unknown, answer: Answer<ExchangeTokenResponse>) =>
      ++exchanges < 3 ? answer(UNAVAILABLE) : answer(null, { token: 'token', expireTime: undefined } as never);
    const RemoveFile = (_: unknown, answer: Answer<object>) => {
      removals += 1;
      answer(UNAVAILABLE);
    };
    using server = await serve({ ExchangeToken, RemoveFile }, { apiKey: 'dk_key' });
    await expect(new Files(server.connection, 'sbx').remove('a')).rejects.toThrow(UnavailableError);
    expect({ exchanges, removals }).toEqual({ exchanges: 3, removals: 1 });
  });
});

describe('closing a client', () => {
  test('ends what is under way', async () => {
    const arrived = new EventEmitter();
    using server = await serve({
      GetSandbox: () => arrived.emit('call'),
      WatchExecution: (call: ServerWritableStream<unknown, unknown>) => {
        call.write({ execution: Execution.create({ state: 'QUEUED' }) });
      },
    });
    const { connection } = server;
    const watch = new Executions(connection).job('exe').watch();
    await watch.next();
    const begun = once(arrived, 'call');
    const underWay = [new Sandboxes(connection).get('sbx'), watch.next()];
    await begun;
    connection.close();
    for (const call of underWay) await expect(call).rejects.toThrow(ClientClosedError);
  });

  test('fails later calls, and says why', async () => {
    const GetSandbox = (_: unknown, answer: Answer<GetSandboxResponse>) => answer(null, { sandbox: undefined });
    using server = await serve({ GetSandbox });
    server.connection.close();
    const error = await new Sandboxes(server.connection).get('sbx').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ClientClosedError);
    expect(error).toMatchObject({ reason: 'CLIENT_CLOSED', message: expect.stringContaining('closed') });
  });
});

test('a time that no timer can hold is not over at once', async () => {
  const GetSandbox = (_: unknown, answer: Answer<GetSandboxResponse>) =>
    setTimeout(() => answer(failure(status.NOT_FOUND, 'SANDBOX_NOT_FOUND')), 100);
  const ExchangeToken = (_: unknown, answer: Answer<ExchangeTokenResponse>) =>
    setTimeout(() => answer(null, { token: 'token', expireTime: undefined } as never), 100);
  using server = await serve({ ExchangeToken, GetSandbox }, { apiKey: 'dk_key' });
  const asked = new Sandboxes(server.connection).get('sbx', { requestTimeout: '1000h' });
  await expect(asked).rejects.not.toThrow(TimeoutError);
});
