import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, type FileRegistry, toBinary } from '@bufbuild/protobuf';
import { SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import fastify from 'fastify';
import { Metadata } from 'nice-grpc-common';
import { DrydockError } from '#libs/errors.ts';
import type { Call, Definition } from '#libs/grpc/rpc.ts';
import type { Logger } from '#libs/log.ts';
import { durationHistogram, splitAddress } from '#libs/telemetry.ts';
import type { Handler } from '../forwarding.ts';
import { type Binding, readBindings } from './bindings.ts';
import { toDrydockError, toHttpError } from './errors.ts';
import { methodOf, parseBody, toRequest, toResponse } from './transcoding.ts';
import { openBody } from './response-stream.ts';

const MAX_JSON_BYTES = 16 * 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 100;
const HEADERS_TIMEOUT_MS = 10_000;
const PIECE_BYTES = 64 * 1024;

const tracer = trace.getTracer('drydock');
const durations = durationHistogram('http_server_duration_seconds', 'From the request to the last byte.', ['method', 'status']);

export type HttpOptions = {
  address: string;
  registry: FileRegistry;
  handlers: Map<Definition, Record<string, Handler>>;
  openapi: object;
  ready: () => Promise<void>;
  log: Logger;
};

/** Serves the public API over HTTP: the routes of the protos' annotations, and three that need no credential. */
export async function startHttpServer(options: HttpOptions): Promise<{ port: number } & AsyncDisposable> {
  const { registry, handlers, log } = options;
  const bindings = readBindings(registry, [...handlers.keys()]);
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    http: { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0 },
  });
  app.server.maxHeadersCount = 0;
  // Bodies are read here: some are raw, and all of them have limits of their own.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  const openapi = JSON.stringify(options.openapi);
  app.get('/healthz', async () => 'ok\n');
  app.get('/readyz', (_, reply) => options.ready().then(() => 'ready\n', (error) => reply.code(503).send(`${error.message}\n`)));
  app.get('/openapi.json', (_, reply) => reply.type('application/json').send(openapi));
  app.all('/*', (request, reply) => {
    reply.hijack();
    return serve(request.raw, reply.raw);
  });
  app.setErrorHandler((error, _, reply) => {
    log.warn({ err: error }, 'request refused');
    const { status, body } = toHttpError(new DrydockError('MALFORMED_REQUEST', 'the request is not valid HTTP'));
    return reply.code(status).send(body);
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gateway');
    const path = (request.url ?? '/').split('?', 1)[0]!;
    const end = durations.startTimer();
    let name = 'unknown';
    try {
      if (request.rawHeaders.length > 2 * MAX_HEADERS)
        throw new DrydockError('REQUEST_TOO_LARGE', `more than ${MAX_HEADERS} headers`);
      const { binding, variables } = findBinding(bindings, request.method ?? '', path);
      name = `${binding.definition.fullName}/${binding.method.name}`;
      await traced(name, request, () => answer(binding, variables, url.searchParams, request, response));
    } catch (error) {
      fail(error, response, log);
    } finally {
      end({ method: name, status: String(response.statusCode) });
    }
  }

  async function answer(
    binding: Binding,
    path: Record<string, string>,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const hungUp = new AbortController();
    response.once('close', () => hungUp.abort());
    const call = toCall(request, hungUp.signal);
    const handler = handlers.get(binding.definition)![binding.name]!;
    const parts = async () => ({ body: binding.jsonBody ? parseBody(await readText(request)) : {}, query, path });
    if (binding.rawRequest) {
      const first = toRequest(binding, registry, { body: {}, query, path });
      const answered = await handler(pieces(binding, first, request), call);
      return sendJson(response, toResponse(binding, registry, answered));
    }
    const message = toRequest(binding, registry, await parts());
    const answered = handler(message, call);
    if (binding.rawResponse) return sendRaw(response, answered, binding.rawResponse.localName);
    if (binding.method.methodKind === 'server_streaming') return sendEvents(request, response, binding, answered);
    sendJson(response, toResponse(binding, registry, await answered));
  }

  async function sendEvents(request: IncomingMessage, response: ServerResponse, binding: Binding, events: AsyncIterable<unknown>) {
    const sse = request.headers.accept?.includes('text/event-stream') ?? false;
    const frame = (json: unknown) => (sse ? `data: ${JSON.stringify(json)}\n\n` : `${JSON.stringify(json)}\n`);
    const body = openBody(response, sse ? 'text/event-stream' : 'application/x-ndjson');
    try {
      for await (const event of events) await body.write(frame(toResponse(binding, registry, event)));
    } catch (error) {
      // Before the first byte it is an ordinary error; later the last line says what went wrong.
      if (!response.headersSent) throw error;
      const known = toDrydockError(error);
      if (!response.destroyed) {
        if (known.reason === 'INTERNAL') log.error({ err: error }, 'stream failed');
        await body.write(frame({ error: toHttpError(known).body }));
      }
    }
    body.end();
  }

  const [host, port] = splitAddress(options.address);
  await app.listen({ host, port });
  return {
    port: (app.server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      app.server.closeIdleConnections();
      const force = setTimeout(() => app.server.closeAllConnections(), 10_000);
      await app.close();
      clearTimeout(force);
    },
  };
}

/** Bytes of a response that is one file. */
async function sendRaw(response: ServerResponse, messages: AsyncIterable<unknown>, field: string): Promise<void> {
  const body = openBody(response, 'application/octet-stream');
  try {
    for await (const message of messages) await body.write((message as Record<string, Uint8Array>)[field]!);
  } catch (error) {
    if (!response.headersSent) throw error;
    // A file cut short must not look like a whole one.
    response.destroy(error as Error);
    return;
  }
  body.end();
}

function sendJson(response: ServerResponse, json: unknown): void {
  const text = JSON.stringify(json);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}

function fail(error: unknown, response: ServerResponse, log: Logger): void {
  if (response.destroyed || response.headersSent) return void response.destroy();
  const known = toDrydockError(error);
  if (known.reason === 'INTERNAL') log.error({ err: error }, 'unexpected error');
  const { status, headers, body } = toHttpError(known);
  const text = JSON.stringify(body);
  // What is left of the request's body is not worth reading.
  response
    .writeHead(status, { 'content-type': 'application/json', connection: 'close', ...headers })
    .end(text);
}

function findBinding(bindings: Binding[], verb: string, path: string) {
  for (const binding of bindings) {
    const variables = binding.verb === verb ? binding.template.match(path) : undefined;
    if (variables) return { binding, variables };
  }
  throw new DrydockError('ROUTE_NOT_FOUND', `there is no ${verb} ${path.slice(0, 128)}; /openapi.json lists what there is`);
}

function toCall(request: IncomingMessage, signal: AbortSignal): Call {
  const metadata = new Metadata();
  if (request.headers.authorization) metadata.set('authorization', request.headers.authorization);
  return { signal, peer: request.socket.remoteAddress ?? '', metadata };
}

async function readText(request: IncomingMessage): Promise<string> {
  const tooLarge = () => new DrydockError('REQUEST_TOO_LARGE', `the body is larger than ${MAX_JSON_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_JSON_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_JSON_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new DrydockError('MALFORMED_REQUEST', 'the body is not UTF-8', { cause: error });
  }
}

/** A raw body as messages: the first carries what the URL says, each later one a piece. */
async function* pieces({ definition, name, method, rawRequest }: Binding, first: unknown, request: IncomingMessage) {
  yield first;
  const { requestType } = methodOf(definition.methods, name);
  for await (const chunk of request)
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = create(method.input, { [rawRequest!.localName]: chunk.subarray(at, at + PIECE_BYTES) } as never);
      yield requestType.decode(toBinary(method.input, piece));
    }
}

async function traced(name: string, request: IncomingMessage, work: () => Promise<void>): Promise<void> {
  const parent = propagation.extract(context.active(), request.headers);
  await tracer.startActiveSpan(`http ${name}`, { kind: SpanKind.SERVER }, parent, async (span) => {
    try {
      await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: toDrydockError(error).reason });
      throw error;
    } finally {
      span.end();
    }
  });
}
