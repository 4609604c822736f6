import { context, propagation, trace } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { afterAll, expect, test } from 'vitest';
import { Drydock } from './client.ts';
import { ConnectionLostError, NotFoundError, UnavailableError } from './errors.ts';
import { FakeServer } from './testing.ts';

afterAll(() => {
  context.disable();
  propagation.disable();
  trace.disable();
});

const clientOf = ({ url }: FakeServer) => new Drydock({ url, apiKey: 'dk_test' });

test('the client gets what the server was told to answer, and the server keeps what it was asked', async () => {
  await using server = await FakeServer.start();
  server.on('RunCode', { execution: { stdout: '42\n', exitCode: 0 } });
  using drydock = clientOf(server);
  expect(await drydock.run('python', 'print(42)')).toMatchObject({ stdout: '42\n', exitCode: 0 });
  expect(server.requests('RunCode')).toMatchObject([{ language: 'python', source: 'print(42)' }]);
  expect(server.calls).toMatchObject([{ method: 'RunCode', metadata: { authorization: 'Bearer fake-token' } }]);
});

test('answers follow each other; an error has its class, and one that passes is tried again', async () => {
  await using server = await FakeServer.start();
  server.on('RunCode', new UnavailableError('not yet', { retryAfterMs: 1 }), (request) => ({
    execution: { stdout: request!.source },
  }));
  server.on('GetSandbox', new NotFoundError('gone', { reason: 'SANDBOX_NOT_FOUND', requestId: 'req_1' }));
  using drydock = clientOf(server);
  expect(await drydock.run('python', 'x')).toMatchObject({ stdout: 'x' });
  expect(server.calls).toHaveLength(2);
  const error = await drydock.sandboxes.get('sbx_1').catch((error: unknown) => error);
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error).toMatchObject({ reason: 'SANDBOX_NOT_FOUND', requestId: 'req_1' });
  await expect(drydock.templates.get('x')).rejects.toThrow('not told how to answer GetTemplate');
});

test('a stream is a list, with an error at its end; an upload is all of its requests', async () => {
  await using server = await FakeServer.start();
  const started = {
    event: { $case: 'stdout' as const, value: { offset: 0, content: { $case: 'text' as const, value: 'a' } } },
  };
  server.on('StreamCode', [started, new ConnectionLostError('broken')]);
  server.on('PutBlob', (...requests) => ({ blob: { sha256: 'hash', sizeBytes: requests.length } }));
  using drydock = clientOf(server);
  const seen: string[] = [];
  const reading = async () => {
    for await (const event of drydock.executions.stream({ language: 'python', source: '' }))
      if (event.type === 'stdout') seen.push(event.text);
  };
  await expect(reading()).rejects.toThrow('broken');
  expect(seen).toEqual(['a']);
  expect(await drydock.blobs.put('content')).toMatchObject({ sizeBytes: 2 });
});

test('the trace of a program with OpenTelemetry goes on in the platform, and a program without has none', async () => {
  await using server = await FakeServer.start();
  server.on('ListSandboxes', {});
  using drydock = clientOf(server);
  await drydock.sandboxes.list().toArray();
  new NodeTracerProvider().register();
  const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };
  const traced = trace.setSpanContext(context.active(), span);
  await context.with(traced, () => drydock.sandboxes.list().toArray());
  expect(server.calls[0]!.metadata).not.toHaveProperty('traceparent');
  expect(server.calls[1]!.metadata).toMatchObject({ traceparent: `00-${span.traceId}-${span.spanId}-01` });
});
