import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { Metadata } from 'nice-grpc-common';
import { DrydockError } from '#libs/errors.ts';
import { peerOf } from '#libs/grpc/public-server.ts';
import { REQUEST_ID_HEADER } from '#libs/grpc/rpc.ts';
import { newId } from '#libs/ids.ts';
import type { Logger } from '#libs/log.ts';
import { durationHistogram, splitAddress } from '#libs/telemetry.ts';
import type { Contract } from '../contract.ts';
import type { Descriptors } from '../descriptors.ts';
import { DOCS_HEADERS, docsPages } from '../docs/pages.ts';
import type { Samples } from '../docs/samples.ts';
import type { Gateway } from '../gateway.ts';
import { type Given, shareWithHttp2 } from '../listener.ts';
import { answerError, answerOne, answerStream } from './answers.ts';
import { readBindings } from './bindings.ts';
import { discardRest } from './body.ts';
import { createCors } from './cors.ts';
import { startDeadline } from './deadline.ts';
import { documentOf } from './document.ts';
import { httpError, rawAnswer, toDrydockError } from './errors.ts';
import { fieldNamed } from './json-message.ts';
import { announceLeaving } from './leaving.ts';
import { openApiDocument } from './openapi.ts';
import { readRequest } from './requests.ts';
import { createRouter, type Route, RouteNotFound } from './router.ts';
import type { Transcoder } from './transcoding.ts';

const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 10_000;
const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const CHECK_INTERVAL_MS = 1_000;
const DRAIN_MS = 10_000;
const IDLE_MS = 60_000;
const MAX_LOGGED_ID = 64;
/** What metrics show for an answer that was not taken. */
const CLIENT_GONE = 499;

const requests = durationHistogram('http_server_duration_seconds', 'From the request to the last byte of the answer.', [
  'route',
  'method',
  'status',
]);
const tracer = trace.getTracer('drydock-gateway');

export type HttpOptions = Given & {
  /** host:port; port 0 picks a free one. */
  address: string;
  gateway: Gateway;
  descriptors: Descriptors;
  contract: Contract;
  transcoder: Transcoder;
  /** What the reference shows beside each operation. */
  samples: Samples;
  /** Resolves when calls can be answered. */
  ready: () => Promise<void>;
  /** Whose pages browsers let read answers, such as `https://app.example.com`. */
  corsOrigins: readonly string[];
  log: Logger;
  /** How long a body may pause, and how long a client may take to read 64 KiB. Default one minute. */
  idleMs?: number;
};

/** Serves the HTTP API, and gRPC on the same port, until disposed; disposing lets calls end for 10 s and then cuts them off. */
export async function startHttp(options: HttpOptions): Promise<{ port: number } & AsyncDisposable> {
  const { descriptors, contract, ready, log } = options;
  const bindings = readBindings(descriptors, contract);
  const answer = createAnswer(options, createRouter(bindings));
  const openApi = JSON.stringify(openApiDocument(descriptors, contract.limits, bindings, options.samples));
  const pages = await docsPages(bindings, contract.limits);

  const app = createApp(options);
  const leaving = announceLeaving(app.server);
  const open = (path: string, handle: (request: FastifyRequest, reply: FastifyReply) => unknown) => {
    app.get(path, async (request, reply) => handle(request, reply));
    app.route({
      method: ['DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'],
      url: path,
      async handler({ method }) {
        throw new RouteNotFound(method, path, ['GET']);
      },
    });
  };
  open('/healthz', (_, reply) => reply.type('text/plain').send('ok\n'));
  open('/readyz', (_, reply) => {
    reply.type('text/plain');
    return ready().then(
      () => 'ready\n',
      (error: unknown) => reply.code(503).send(`${error instanceof Error ? error.message : 'not ready'}\n`),
    );
  });
  open('/openapi.json', documentOf('application/json', openApi));
  for (const [path, { type, text }] of Object.entries(pages)) open(path, documentOf(type, text, DOCS_HEADERS));
  app.setErrorHandler(async (error: unknown, _, reply) => {
    const known = toDrydockError(error);
    const requestId = requestIdOf(reply.raw);
    if (known.reason === 'INTERNAL') log.error({ err: error, requestId }, 'unexpected error');
    const { status, headers, body } = httpError(known);
    return reply.code(status).headers(headers).send(body);
  });
  const everythingElse = async (
    { raw }: { raw: IncomingMessage },
    reply: { raw: ServerResponse; hijack(): unknown },
  ) => {
    reply.hijack();
    await answer(raw, reply.raw);
  };
  app.all('/*', everythingElse);
  app.setNotFoundHandler(everythingElse);
  const sniffer = shareWithHttp2(app.server, options);

  const [host, port] = splitAddress(options.address);
  await app.listen({ host, port });
  return {
    port: (app.server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await leaving.announce();
      const force = setTimeout(() => {
        log.warn({ port }, 'requests cut off that did not end');
        app.server.closeAllConnections();
      }, DRAIN_MS);
      const closed = app.close();
      sniffer[Symbol.dispose]();
      await closed;
      clearTimeout(force);
    },
  };
}

function createApp({ corsOrigins, log }: HttpOptions): FastifyInstance {
  const app = fastify({
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      // Checked below, for an answer in JSON.
      requireHostHeader: false,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    // A stream of requests or of answers may take any time; what must not is limited piece by piece.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    bodyLimit: Number.MAX_SAFE_INTEGER,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    // What comes by a connection that is there already was sent by somebody who could not know.
    return503OnClosing: false,
    // The raw path is routed by the annotations; fastify only needs to let it pass.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES, ignoreDuplicateSlashes: false },
    frameworkErrors: (error, _, reply) => {
      const { status, headers, body } = httpError(toDrydockError(error));
      (reply as FastifyReply).code(status).headers(headers).send(body);
    },
    clientErrorHandler: (error, socket) => {
      if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
      const requestId = newId('req');
      log.debug({ requestId, code: error.code }, 'request refused by the parser');
      socket.end(rawAnswer(error.code, requestId));
    },
  });
  // More headers than this are counted, not dropped, so that they can be refused.
  app.server.maxHeadersCount = 0;
  app.server.maxConnections = MAX_CONNECTIONS;
  const cors = createCors(corsOrigins);
  app.server.prependListener('request', (_, response) => response.setHeader(REQUEST_ID_HEADER, newId('req')));
  app.addHook('onRequest', async ({ raw }, reply) => {
    if (cors(raw, reply.raw)) return reply.hijack();
    if (raw.rawHeaders.length > 2 * MAX_HEADERS)
      throw new DrydockError('REQUEST_TOO_LARGE', `more than ${MAX_HEADERS} headers`);
    if (raw.httpVersion === '1.1' && raw.headers.host === undefined)
      throw new DrydockError('MALFORMED_REQUEST', 'the Host header is missing');
    const { expect } = raw.headers;
    if (expect !== undefined && expect.toLowerCase() !== '100-continue')
      throw new DrydockError('MALFORMED_REQUEST', `cannot meet 'Expect: ${expect.slice(0, 50)}'; leave it out`);
  });
  // Node answers other expectations itself, without a body.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  // The route of a request decides how its body is read: whole, or piece by piece.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  return app;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function createAnswer(options: HttpOptions, route: (verb: string, path: string) => Route): Answer {
  const { gateway, transcoder, waste, log, idleMs = IDLE_MS } = options;

  const call = async (request: IncomingMessage, response: ServerResponse, found: Route, query: string) => {
    const { binding } = found;
    const { method } = binding;
    const { headers, rawHeaders, socket } = request;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    using deadline = startDeadline(headers['grpc-timeout']);
    const signal = AbortSignal.any([gone.signal, deadline.signal]);
    const metadata = Metadata();
    // Node keeps the first of several alone; which one a proxy has looked at is not known.
    for (const [at, name] of rawHeaders.entries())
      if (at % 2 === 0 && name.toLowerCase() === 'authorization') metadata.append(name, rawHeaders[at + 1]!);
    const peer = peerOf(socket);
    const requestId = requestIdOf(response);
    const used = (bytes: number) => waste.used(peer, bytes);
    using _reading = waste.reading(peer, () => request.readableLength);
    try {
      using admitted = await gateway.admit(method, { signal, metadata, peer, requestId });
      const message = await readRequest(found, request, query, transcoder, { held: admitted.held, used, idleMs });
      const answer = gateway.forward(method, message, admitted);
      const onLateError = (error: DrydockError) => logInternal(error, binding.template.source, requestId);
      const answerOptions = { transcoder, idleMs, onLateError };
      if (Symbol.asyncIterator in answer) await answerStream(response, binding, answer, headers.accept, answerOptions);
      else await answerOne(response, binding, await answer, answerOptions);
    } catch (error) {
      throw deadline.signal.aborted ? deadline.signal.reason : error;
    }
  };

  const logInternal = (error: DrydockError, route: string, requestId: string) => {
    if (error.reason === 'INTERNAL') log.error({ err: error.cause ?? error, route, requestId }, 'unexpected error');
  };

  return async (request, response) => {
    const { verb, path, query } = readTarget(request);
    const peer = peerOf(request.socket);
    waste.used(peer, headerBytes(request));
    const requestId = requestIdOf(response);
    const end = requests.startTimer();
    let name = 'none';
    let ids = {};
    await traced(request, response, async (span) => {
      try {
        const found = route(verb, path);
        name = found.binding.template.source;
        ids = idsOf(found);
        span.updateName(`${verb} ${name}`).setAttribute('http.route', name);
        await call(request, response, found, query);
      } catch (error) {
        if (response.destroyed) return;
        const known = toDrydockError(error);
        logInternal(known, name, requestId);
        if (response.headersSent) return void response.destroy();
        await answerError(response, httpError(known), idleMs).catch(() => response.destroy());
      } finally {
        discardRest(request, (bytes) => waste.used(peer, bytes));
        const status = response.writableFinished ? response.statusCode : CLIENT_GONE;
        const labels = { route: name, method: name === 'none' ? 'none' : verb, status };
        end(labels);
        log.debug({ ...labels, ...ids, requestId }, 'request ended');
      }
    });
  };
}

function requestIdOf(response: ServerResponse): string {
  return String(response.getHeader(REQUEST_ID_HEADER));
}

/** About what the request line and the headers took. */
function headerBytes({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length + 2, url.length + 32);
}

/** The ids that a path names, for the log. */
function idsOf({ binding, fields }: Route): Record<string, string> {
  const named = [...fields].filter(([name]) => name.endsWith('_id'));
  return Object.fromEntries(
    named.map(([name, id]) => [fieldNamed(binding.descriptor.input, name)!.jsonName, id.slice(0, MAX_LOGGED_ID)]),
  );
}

function readTarget({ method = '', url = '' }: IncomingMessage): { verb: string; path: string; query: string } {
  const at = url.indexOf('?');
  return at < 0
    ? { verb: method, path: url, query: '' }
    : { verb: method, path: url.slice(0, at), query: url.slice(at + 1) };
}

function traced(
  request: IncomingMessage,
  response: ServerResponse,
  work: (span: Span) => Promise<void>,
): Promise<void> {
  const parent = propagation.extract(context.active(), request.headers);
  const options = { kind: SpanKind.SERVER, attributes: { 'http.request.method': request.method ?? '' } };
  return tracer.startActiveSpan(`HTTP ${request.method}`, options, parent, async (span) => {
    try {
      await work(span);
    } finally {
      span.setAttribute('http.response.status_code', response.statusCode);
      if (response.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    }
  });
}
