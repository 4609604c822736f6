import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';

/** A gateway under attack. */
export type Target = {
  /** Ports of gRPC, and of HTTP, which takes gRPC too. */
  grpcPort: number;
  httpPort: number;
  /** An API key; empty for nobody. */
  credential: string;
  /** When to stop. */
  until: number;
};

/** Does harm until the time is over, and tells what it was answered. */
export type Attack = (target: Target) => Promise<Tally>;

/** How often each answer came: `grpc 16`, `HTTP 400`, `closed`, …. */
export type Tally = Map<string, number>;

export const over = ({ until }: Target) => Date.now() >= until;

export function count(tally: Tally, answer: string): void {
  tally.set(answer, (tally.get(answer) ?? 0) + 1);
}

/** Keeps some attackers busy at once until the time is over. */
export async function busy(target: Target, width: number, attack: (tally: Tally) => Promise<void>): Promise<Tally> {
  const tally: Tally = new Map();
  const one = async () => {
    do await attack(tally);
    while (!over(target));
  };
  await Promise.all(Array.from({ length: width }, one));
  return tally;
}

/** A promise that gives up when the time is over, with what came until then. */
export function orOver<T>(target: Target, promise: Promise<T>, otherwise: T): Promise<T> {
  const { promise: end, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(otherwise), Math.max(0, target.until - Date.now()) + 500);
  return Promise.race([promise, end]).finally(() => clearTimeout(timer));
}

/** A gRPC call with bytes as its body, as they are; the answer is counted. */
export async function grpcCall(
  target: Target,
  tally: Tally,
  method: string,
  body: Iterable<Uint8Array>,
  {
    ends = true,
    headers = {},
    port = target.grpcPort,
  }: { ends?: boolean; headers?: Record<string, string>; port?: number } = {},
): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { maxSessionMemory: 1_000 });
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(target.credential ? { authorization: `Bearer ${target.credential}` } : {}),
    ...headers,
  });
  let status: string | undefined;
  const hear = (received: object) => {
    status ??= (received as Record<string, string>)['grpc-status'];
  };
  stream
    .on('response', hear)
    .on('trailers', hear)
    .on('error', () => {})
    .resume();
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  for (const piece of body) {
    if (stream.destroyed || stream.closed) break;
    if (!stream.write(piece)) {
      const drained = new Promise<void>((resolve) => stream.once('drain', resolve));
      await orOver(target, Promise.race([drained, closed]), undefined);
    }
    if (over(target)) break;
  }
  if (ends) stream.end();
  await orOver(target, closed, undefined);
  count(tally, status === undefined ? (stream.closed ? 'closed' : 'no answer') : `grpc ${status}`);
  session.destroy();
}

/** A message with its length before it, as gRPC has it. */
export function framed(message: Uint8Array, { length = message.length, compressed = false } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** An HTTP request with bytes as its body, written by hand; the status is counted. Without a length each piece is a chunk. */
export async function httpCall(
  target: Target,
  tally: Tally,
  path: string,
  body: Iterable<Uint8Array>,
  { length, areChunks = false }: { length?: number; areChunks?: boolean } = {},
): Promise<void> {
  const socket = await connected(target.httpPort);
  const lines = [
    `POST ${path} HTTP/1.1`,
    'host: gateway',
    'connection: close',
    'content-type: application/json',
    length === undefined ? 'transfer-encoding: chunked' : `content-length: ${length}`,
    ...(target.credential ? [`authorization: Bearer ${target.credential}`] : []),
  ];
  let answer = '';
  const closed = new Promise<void>((resolve) => socket.once('close', resolve));
  socket.on('data', (piece) => {
    answer = `${answer}${piece.toString('latin1')}`.slice(0, 20);
  });
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  for (const piece of body) {
    if (socket.destroyed || answer) break;
    const bytes =
      length === undefined && !areChunks
        ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, CRLF])
        : piece;
    if (!socket.write(bytes)) {
      const drained = new Promise<void>((resolve) => socket.once('drain', resolve));
      await orOver(target, Promise.race([drained, closed]), undefined);
    }
    if (over(target)) break;
  }
  await orOver(target, closed, undefined);
  count(tally, answer ? `HTTP ${answer.split(' ')[1]}` : socket.destroyed ? 'closed' : 'no answer');
  socket.destroy();
}

const CRLF = Buffer.from('\r\n');

export async function connected(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', () => resolve()));
  return socket;
}

/** Connections that send some bytes and then nothing, as many as there can be; those that the gateway closed are counted. */
export async function idle(target: Target, port: number, first: Uint8Array, connections: number): Promise<Tally> {
  const tally: Tally = new Map();
  const sockets = await Promise.all(Array.from({ length: connections }, () => connected(port)));
  for (const socket of sockets) {
    socket.resume();
    socket.once('close', () => count(tally, 'closed'));
    socket.write(first);
  }
  await orOver(target, new Promise<void>(() => {}), undefined);
  tally.set('open', connections - (tally.get('closed') ?? 0));
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
  return tally;
}

/** Frames of HTTP/2 over and over on one connection, as fast as it takes them. */
export async function flood(
  target: Target,
  port: number,
  first: Buffer,
  frames: (turn: number) => Buffer,
): Promise<Tally> {
  return busy(target, 1, async (tally) => {
    const socket = await connected(port);
    socket.resume();
    const closed = new Promise<void>((resolve) => socket.once('close', resolve));
    socket.write(Buffer.concat([PREFACE, first]));
    for (let turn = 0; !socket.destroyed && !over(target); turn++) {
      const more = socket.write(frames(turn));
      const drained = new Promise<void>((resolve) => (more ? setImmediate(resolve) : socket.once('drain', resolve)));
      await orOver(target, Promise.race([drained, closed]), undefined);
    }
    count(tally, socket.destroyed ? 'closed' : 'open');
    socket.destroy();
  });
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A frame of HTTP/2. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
