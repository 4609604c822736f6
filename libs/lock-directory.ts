import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/**
 * Makes a directory, for its owner alone, and holds it until disposed: two processes that took each other's leavings for
 * an earlier one's would destroy them. The hold ends with the process, however that ends. Throws where `another` holds it.
 */
export async function lockDirectory(directory: string, another: string): Promise<AsyncDisposable> {
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

// Nobody listens there, or nobody ever has.
const UNHELD = ['ECONNREFUSED', 'ENOENT'];

/** Whether a process listens there. Throws where that cannot be told, as where it is too busy to be asked. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (UNHELD.includes(error.code ?? '')) resolve(false);
      else reject(error);
    });
  });
}
