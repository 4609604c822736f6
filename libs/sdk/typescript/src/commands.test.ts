import { EventEmitter, getEventListeners, once } from 'node:events';
import { type ServerUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import { expect, test, vi } from 'vitest';
import { Commands } from './commands.ts';
import { InvalidArgumentError, OutputLostError, TimeoutError } from './errors.ts';
import type {
  ConnectProcessRequest,
  SignalProcessRequest,
  StartProcessRequest,
  StartProcessResponse,
} from './generated/drydock/v1/process.ts';
import { failure, serve } from './server-fixture.ts';

type Stream<Request> = ServerWritableStream<Request, StartProcessResponse>;
type Answer = (error: unknown, value?: object) => void;

const started = { event: { $case: 'started', value: { processId: 'prc', pid: 7 } } } as const;
const exited = {
  event: {
    $case: 'exited',
    value: { exitCode: 0, signal: '', usage: undefined, outputStillOpen: false },
  },
} as const;
const output = (offset: number, value: string) =>
  ({ event: { $case: 'stdout', value: { offset, content: { $case: 'text', value } } } }) as const;

/** Commands of a sandbox in which `start` and `join` say what happens; `events` tells of `start` and `kill`. */
async function given(
  start: (call: Stream<StartProcessRequest>) => void,
  join: (call: Stream<ConnectProcessRequest>) => void = () => {},
) {
  const events = new EventEmitter();
  const killed: string[] = [];
  const server = await serve({
    StartProcess(call: Stream<StartProcessRequest>) {
      start(call);
      events.emit('start', call);
    },
    ConnectProcess: join,
    ListProcesses: (_: unknown, answer: Answer) =>
      answer(null, { processes: [{ id: 'prc', pid: 7, command: [], exited: undefined, detached: true }] }),
    SignalProcess({ request }: ServerUnaryCall<SignalProcessRequest, object>, answer: Answer) {
      killed.push(`${request.processId} ${request.signal}`);
      events.emit('kill');
      answer(null, {});
    },
  });
  return {
    commands: new Commands(server.connection, 'sbx'),
    events,
    killed,
    [Symbol.dispose]: () => server[Symbol.dispose](),
  };
}

const running = (call: Stream<StartProcessRequest>) => void call.write(started);
const KILLED = ['prc SIGKILL'];

test('the time of a command is over though nobody reads it', async () => {
  using platform = await given(running);
  const kill = once(platform.events, 'kill', { signal: AbortSignal.timeout(5_000) });
  const handle = await platform.commands.start('sleep 60', { timeout: '100ms' });
  await kill;
  await expect(handle.wait()).rejects.toThrow(TimeoutError);
  expect(platform.killed).toEqual(KILLED);
});

test('a signal kills a command that nobody reads', async () => {
  using platform = await given(running);
  const ending = new AbortController();
  const handle = await platform.commands.start('sleep 60', { signal: ending.signal });
  const kill = once(platform.events, 'kill', { signal: AbortSignal.timeout(5_000) });
  ending.abort(new Error('enough'));
  await kill;
  await expect(handle.wait()).rejects.toThrow('enough');
  expect(platform.killed).toEqual(KILLED);
});

test('a signal that comes before the command has started kills it as soon as it has', async () => {
  using platform = await given(() => {});
  const ending = new AbortController();
  const starting = platform.commands.start('sleep 60', { signal: ending.signal });
  starting.catch(() => {});
  const [call] = (await once(platform.events, 'start')) as [Stream<StartProcessRequest>];
  ending.abort(new Error('enough'));
  call.write(started);
  await expect(starting).rejects.toThrow('enough');
  expect(platform.killed).toEqual(KILLED);
  expect(getEventListeners(ending.signal, 'abort')).toEqual([]);
});

test('a start that does not come about is awaited for 10 s after its signal', async () => {
  using platform = await given(() => {});
  const ending = new AbortController();
  const starting = platform.commands.start('sleep 60', { signal: ending.signal }).catch((error: unknown) => error);
  await once(platform.events, 'start');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    ending.abort(new Error('enough'));
    expect(await Promise.race([starting, vi.advanceTimersByTimeAsync(9_900).then(() => 'awaited')])).toBe('awaited');
    await vi.advanceTimersByTimeAsync(200);
  } finally {
    vi.useRealTimers();
  }
  expect(await starting).toMatchObject({ message: 'enough' });
  expect(platform.killed).toEqual([]);
});

test('a command that cannot start leaves nothing on its signal', async () => {
  using platform = await given((call) => call.emit('error', failure(status.INVALID_ARGUMENT, 'COMMAND_NOT_FOUND')));
  const { signal } = new AbortController();
  await expect(platform.commands.start(['no'], { signal })).rejects.toThrow(InvalidArgumentError);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a time that no timer can hold is not over at once', async () => {
  using platform = await given((call) => {
    call.write(started);
    setTimeout(() => {
      call.write(exited);
      call.end();
    }, 100);
  });
  expect(await platform.commands.run('true', { timeout: '1000h' })).toMatchObject({ exitCode: 0 });
});

test('a command that is joined may begin late, and loses nothing after that unheard', async () => {
  let joins = 0;
  using platform = await given(running, (call) => {
    call.write(started);
    call.write(output(++joins * 100, 'x'.repeat(10)));
    call.emit('error', failure(status.UNAVAILABLE, 'SERVICE_UNAVAILABLE'));
  });
  const heard: number[] = [];
  const handle = await platform.commands.connect('prc', { onStdout: (_, { offset }) => heard.push(offset) });
  const error = await handle.wait().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(OutputLostError);
  expect(error).toMatchObject({ lostBytes: 90 });
  expect(heard).toEqual([100]);
});

test('a listener that throws kills the command and ends its stream', async () => {
  const cancelled = new EventEmitter();
  using platform = await given((call) => {
    call.once('cancelled', () => cancelled.emit('stream'));
    call.write(started);
    call.write(output(0, 'text'));
  });
  const ended = once(cancelled, 'stream', { signal: AbortSignal.timeout(5_000) });
  const { signal } = new AbortController();
  const onStdout = () => {
    throw new Error('a defect of the caller');
  };
  await expect(platform.commands.run('true', { onStdout, signal })).rejects.toThrow('a defect of the caller');
  await ended;
  expect(platform.killed).toEqual(KILLED);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a listener that throws leaves a command alone that was joined', async () => {
  const joined = new EventEmitter();
  using platform = await given(running, (call) => {
    call.once('cancelled', () => joined.emit('cancelled'));
    call.write(started);
    call.write(output(0, 'text'));
  });
  const ended = once(joined, 'cancelled', { signal: AbortSignal.timeout(5_000) });
  const onStdout = () => {
    throw new Error('a defect of the caller');
  };
  const handle = await platform.commands.connect('prc', { onStdout });
  await expect(handle.wait()).rejects.toThrow('a defect of the caller');
  await ended;
  expect(platform.killed).toEqual([]);
});
