import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/**
 * Makes a directory, readable by its owner alone, and locks it until disposed: two processes would delete each other's files
 * as leftovers. The lock ends with the process. Throws if `another` process, as the message calls it, has locked it.
 */
export async function lockDirectory(directory: string, another: string): Promise<AsyncDisposable> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // An existing directory keeps its mode in mkdir.
  await chmod(directory, 0o700);
  const path = join(directory, 'held');
  if (await answers(path)) throw new Error(`${another} holds ${directory}`);
  await rm(path, { force: true });
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

// The socket has lost its process, or never existed.
const UNHELD = ['ECONNREFUSED', 'ENOENT'];

/** Whether a process listens on the socket. Throws on any error that does not answer this, such as a full backlog. */
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
