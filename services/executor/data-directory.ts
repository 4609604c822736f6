import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/**
 * Makes the directory of an executor, for root alone, and holds it until disposed: two processes that took each other's
 * instances for strange would destroy them. The hold ends with the process, however that ends.
 */
export async function holdDataDirectory(directory: string): Promise<AsyncDisposable> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // It may have been there, with other rights.
  await chmod(directory, 0o700);
  const path = join(directory, 'held');
  if (await answers(path)) throw new Error(`another executor holds ${directory}`);
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
