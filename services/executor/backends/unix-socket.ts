import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';

/** Listens on a unix socket until disposed; removes the socket of an earlier process. Accepted sockets are paused. */
export async function listen(path: string, onSocket: (socket: Socket) => void): Promise<AsyncDisposable> {
  await rm(path, { force: true });
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: false }, onSocket);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
