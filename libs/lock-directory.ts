import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
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
  return listenAlone(directory, 'held', (name) =>
    HELD.test(name) ? new Error(`${another} holds ${directory}`) : undefined,
  );
}

// Without a suffix as earlier versions named it.
const HELD = /^held(-[0-9a-f]+)?$/;
// Of a random suffix, twice as many characters. The whole path of a socket may have 107 bytes.
const SUFFIX_BYTES = 8;

/**
 * Listens until disposed on a unix socket of its own in a directory: `name` with a random suffix. `refusal` gives the error to throw
 * if a process listens on the socket of that name, and undefined for what is no rival. Rivals without a process are removed. Of
 * two that begin at the same time, none or one gets it.
 */
export async function listenAlone(
  directory: string,
  name: string,
  refusal: (name: string) => Error | undefined,
): Promise<AsyncDisposable> {
  await using own = new AsyncDisposableStack();
  // First its own socket, then the others': of two that begin at the same time, the later one sees the other.
  const mine = `${name}-${randomBytes(SUFFIX_BYTES).toString('hex')}`;
  own.use(await listen(join(directory, mine)));
  for (const each of await readdir(directory)) {
    const refused = each === mine ? undefined : refusal(each);
    if (!refused) continue;
    const path = join(directory, each);
    if (await isHeld(path)) throw refused;
    // One that is about to listen will see this one.
    await rm(path, { force: true });
  }
  return own.move();
}

async function listen(path: string): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

// The socket has lost its process, or never existed.
const UNHELD = ['ECONNREFUSED', 'ENOENT'];

/** Whether a process listens on the socket. Throws on any error that does not answer this, such as a full backlog. */
function isHeld(path: string): Promise<boolean> {
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
