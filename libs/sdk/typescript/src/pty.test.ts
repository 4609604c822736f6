import type { ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type {
  ConnectProcessRequest,
  StartProcessResponse,
  WriteProcessInputRequest,
} from './generated/drydock/v1/process.ts';
import { Pty } from './pty.ts';
import { serve } from './server-fixture.ts';

type Answer = (error: unknown, value?: object) => void;

test('a terminal that is joined again is heard from what is kept on, takes input, and has an end', async () => {
  let joined: ServerWritableStream<ConnectProcessRequest, StartProcessResponse> | undefined;
  const shown = (offset: number, value: string) =>
    joined?.write({ event: { $case: 'stdout', value: { offset, content: { $case: 'text', value } } } });
  using server = await serve({
    ListProcesses: (_: unknown, answer: Answer) =>
      answer(null, { processes: [{ id: 'prc', pid: 7, command: ['sh'], exited: undefined, detached: true }] }),
    ConnectProcess(call: ServerWritableStream<ConnectProcessRequest, StartProcessResponse>) {
      joined = call;
      shown(100, 'kept ');
    },
    WriteProcessInput({ request }: ServerUnaryCall<WriteProcessInputRequest, object>, answer: Answer) {
      answer(null, {});
      shown(105, `echo of ${request.input?.value}`);
      joined?.write({
        event: { $case: 'exited', value: { exitCode: 3, signal: '', usage: undefined, outputStillOpen: false } },
      });
      joined?.end();
    },
  });
  let text = '';
  const heard = Promise.withResolvers<void>();
  const terminal = await new Pty(server.connection, 'sbx').connect('prc', {
    onData: (data) => {
      text += Buffer.from(data);
      heard.resolve();
    },
  });
  await heard.promise;
  await terminal.write('ls');
  expect(await terminal.wait()).toMatchObject({ exitCode: 3 });
  expect(text).toBe('kept echo of ls');
});
