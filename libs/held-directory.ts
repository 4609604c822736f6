import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/**
 * Makes a directory, for its owner alone, and holds it until disposed: two processes that took each other's leavings for
 * an earlier one's would destroy them. The hold ends with the process, however that ends. Throws where `another` holds it.
 */
export async function holdDirectory(directory: string, another: string): Promise<AsyncDisposable> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // It may have been there, with other rights.
  await chmod(directory, 0o700);
  const path = join(directory, 'held');
  if (await answers(path)) throw new Error(`${another} holds ${directory}`);
  await rm(path, { force: true });
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}
