import { once } from 'node:events';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { openTestLink } from './agent-fixture.ts';

/** What a hostile agent does with a call. */
export type Answer = (stream: ServerHttp2Stream) => void | Promise<void>;

/** A link to an agent that speaks HTTP/2 and answers every call as `answer` is set. It comes back when its connection is lost. */
export async function startHostileAgent() {
  const sockets = new Set<Socket>();
  let closed = false;
  const agent: { answer: Answer; calls: number; sessions: Set<ServerHttp2Session> } = {
    answer: () => {},
    calls: 0,
    sessions: new Set(),
  };

  const dial = (path: string): void => {
    if (closed) return;
    const socket = connect(path);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      dial(path);
    });
    const session = performServerHandshake(socket);
    session.on('error', () => {});
    session.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {});
      agent.calls += 1;
      void (async () => agent.answer(stream))().catch(() => stream.destroy());
    });
    agent.sessions.add(session);
    session.on('close', () => agent.sessions.delete(session));
  };

  const link = await openTestLink(dial);
  return {
    ...link,
    agent,
    async [Symbol.asyncDispose]() {
      closed = true;
      await link[Symbol.asyncDispose]();
      const gone = [...sockets].map((socket) => once(socket, 'close'));
      for (const socket of sockets) socket.destroy();
      await Promise.all(gone);
    },
  };
}

/** A message as gRPC frames it. `length` may lie. */
export function frameOf(message: Uint8Array, { compressed = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** Begins an answer that ends with these trailers. */
export function respond(
  stream: ServerHttp2Stream,
  trailers: Record<string, string> = { 'grpc-status': '0' },
  headers: Record<string, string> = {},
): void {
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  const fixed = { ':status': 200, 'content-type': 'application/grpc+proto' };
  stream.respond({ ...fixed, ...headers }, { waitForTrailers: true });
}
