import { createHash, randomUUID } from 'node:crypto';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  isLegacyRequest,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { Drydock } from '../../../sdk/typescript/src/index.ts';
import { createServer } from './server.ts';
import { Session } from './session.ts';

/** A session that nobody has used for so long is ended, with its sandboxes. */
const IDLE_MS = 30 * 60_000;
const MAX_SESSIONS = 1_000;
const PATH = '/mcp';

type Open = {
  session: Session;
  /** Of the key: another key does not reach the session. */
  owner: string;
  handle: (request: Request) => Promise<Response>;
  close: () => Promise<void>;
  idle: NodeJS.Timeout;
};

export type HttpOptions = {
  host: string;
  port: number;
  /** A client of the platform with this key. */
  connect: (apiKey: string) => Promise<Drydock>;
};

/**
 * Serves the tools over streamable HTTP at `/mcp`. The bearer of a request is an API key. A client of the protocol with sessions has
 * one until it deletes it; requests of the protocol without them share the session of their key. Disposing ends all.
 */
export async function serveHttp({ host, port, connect }: HttpOptions): Promise<AsyncDisposable & { url: string }> {
  const sessions = new Sessions(connect);
  const handler = toNodeHandler({ fetch: (request) => sessions.handle(request) });
  const http = createHttpServer(handler as RequestListener);
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject).listen(port, host, resolve);
  });
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(http.address() as AddressInfo).port}${PATH}`,
    async [Symbol.asyncDispose]() {
      http.close();
      await sessions[Symbol.asyncDispose]();
      http.closeAllConnections();
    },
  };
}

class Sessions implements AsyncDisposable {
  readonly #connect: HttpOptions['connect'];
  readonly #open = new Map<string, Open>();
  /** Of the protocol without sessions, by their keys: requests that come together begin one. */
  readonly #beginning = new Map<string, Promise<Open | Response>>();

  constructor(connect: HttpOptions['connect']) {
    this.#connect = connect;
  }

  async handle(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== PATH) return refused(404, `the tools are at ${PATH}`);
    const [, apiKey] = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
    if (!apiKey) return refused(401, 'send an API key as the bearer: Authorization: Bearer dk_…');
    const owner = createHash('sha256').update(apiKey).digest('hex');
    const id = request.headers.get('mcp-session-id');
    if (!id && (await isLegacyRequest(request))) return this.#initialize(request, apiKey, owner);
    const open = id ? this.#open.get(id) : await this.#ofKey(apiKey, owner);
    if (open instanceof Response) return open;
    if (open?.owner !== owner) return refused(404, 'there is no such session; initialize another');
    open.idle.refresh();
    return open.handle(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.#end(id)));
  }

  /** With a session of its own, which the client ends. */
  async #initialize(request: Request, apiKey: string, owner: string): Promise<Response> {
    const session = await this.#begin(apiKey);
    if (session instanceof Response) return session;
    const server = createServer(session);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        const handle = (next: Request) => transport.handleRequest(next);
        this.#keep(id, { session, owner, handle, close: () => server.close() });
      },
      onsessionclosed: (id) => void this.#end(id).catch(report),
    });
    await server.connect(transport);
    const response = await transport.handleRequest(request);
    if (transport.sessionId === undefined) session.drydock.close();
    return response;
  }

  #ofKey(apiKey: string, owner: string): Open | Promise<Open | Response> {
    const id = `key ${owner}`;
    const open = this.#open.get(id) ?? this.#beginning.get(id);
    if (open) return open;
    const beginning = this.#begin(apiKey).then((session) => {
      if (session instanceof Response) return session;
      const handler = createMcpHandler(() => createServer(session), { legacy: 'reject' });
      const handle = (request: Request) => handler.fetch(request);
      return this.#keep(id, { session, owner, handle, close: () => handler.close() });
    });
    this.#beginning.set(id, beginning);
    return beginning.finally(() => this.#beginning.delete(id));
  }

  /** A key that the platform does not know gets no session. */
  async #begin(apiKey: string): Promise<Session | Response> {
    if (this.#open.size + this.#beginning.size >= MAX_SESSIONS) return refused(503, 'too many sessions');
    const drydock = await this.#connect(apiKey);
    try {
      await drydock.templates.list({ requestTimeout: '30s' }).toArray({ limit: 1 });
      return new Session(drydock);
    } catch (error) {
      drydock.close();
      const { name, message } = error as Error;
      return refused(name === 'UnauthenticatedError' ? 401 : 502, message);
    }
  }

  #keep(id: string, open: Omit<Open, 'idle'>): Open {
    const idle = setTimeout(() => void this.#end(id).catch(report), IDLE_MS);
    const kept = { ...open, idle: idle.unref() };
    this.#open.set(id, kept);
    return kept;
  }

  async #end(id: string): Promise<void> {
    const open = this.#open.get(id);
    if (!open) return;
    this.#open.delete(id);
    clearTimeout(open.idle);
    await open.close();
    await open.session[Symbol.asyncDispose]();
    open.session.drydock.close();
  }
}

function report(error: unknown): void {
  process.stderr.write(`drydock: a session did not end well: ${(error as Error).message}\n`);
}

function refused(status: number, message: string): Response {
  const headers = { ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}) };
  return Response.json({ jsonrpc: '2.0', id: null, error: { code: -32_000, message } }, { status, headers });
}
