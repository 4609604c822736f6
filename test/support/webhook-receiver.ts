import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const README = join(import.meta.dirname, '../../services/session/README.md');

type Verify = (headers: IncomingHttpHeaders, body: Uint8Array, secret: string) => boolean;

/** How a receiver checks a signature: the code that the README shows, as it stands there. */
export async function readVerify(): Promise<Verify> {
  const [, code] = /```js\n(.*?)```/s.exec(await readFile(README, 'utf8')) ?? [];
  if (!code) throw new Error(`${README} shows no code`);
  const { verify } = await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`);
  return verify;
}

export type Received = {
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
  event: any;
};

export type Receiver = {
  url: string;
  port: number;
  /** What came, in order; an entry is there before its answer. */
  received: Received[];
} & AsyncDisposable;

type Answer = (response: ServerResponse, received: Received) => unknown;

/** An HTTP server of the loopback interface, with `tls` one of HTTPS, that keeps what it is sent. Default answer: 200. */
export async function startReceiver(
  answer: Answer = (response) => response.end(),
  tls?: { cert: Buffer; key: Buffer },
): Promise<Receiver> {
  const received: Received[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const event = body.length > 0 ? JSON.parse(body.toString()) : undefined;
    const one = { path: request.url ?? '', headers: request.headers, body, event };
    received.push(one);
    answer(response, one);
  };
  const server = tls ? createTlsServer(tls, handle) : createServer(handle);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    received,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
