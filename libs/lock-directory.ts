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
  const lock = await listenAlone(join(directory, 'held'));
  if (!lock) throw new Error(`${another} holds ${directory}`);
  return lock;
}

/** Listens on a unix socket until disposed, in place of one that has lost its process. Undefined if another process does. */
export async function listenAlone(path: string): Promise<AsyncDisposable | undefined> {
  if (await isHeld(path)) return undefined;
  await rm(path, { force: true });
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

// The socket has lost its process, or never existed.
const UNHELD = ['ECONNREFUSED', 'ENOENT'];

/** Whether a process listens on the socket. Throws on any error that does not answer this, such as a full backlog. */
export function isHeld(path: string): Promise<boolean> {
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
