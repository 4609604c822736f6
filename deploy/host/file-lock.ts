import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';

/**
 * Waits for a lock that ends with this process, however it ends: `flock` holds it while its input is open. `signal` ends the
 * waiting, which then throws, and not the lock.
 */
export async function lockFile(file: string, signal?: AbortSignal): Promise<AsyncDisposable> {
  return (await hold([file], signal))!;
}

/** The same without waiting: nothing where another process holds it. Makes the directory, for its owner alone. */
export async function tryLockFile(file: string): Promise<AsyncDisposable | undefined> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return hold(['--nonblock', '--conflict-exit-code', `${HELD_ELSEWHERE}`, file]);
}

const HELD_ELSEWHERE = 75;

async function hold(args: string[], signal?: AbortSignal): Promise<AsyncDisposable | undefined> {
  signal?.throwIfAborted();
  // In a group of its own: Ctrl-C reaches a whole group, and what the lock guards is then still in use.
  const holder = execa('flock', [...args, 'sh', '-c', 'echo held; exec cat'], { buffer: false, detached: true });
  const ended = holder.then(
    () => {},
    (error) => error as { exitCode?: number },
  );
  const giveUp = () => holder.kill();
  signal?.addEventListener('abort', giveUp);
  // Where it fails, `ended` says why.
  const first = await holder
    .iterable()
    .next()
    .catch(() => ({ done: true }))
    .finally(() => signal?.removeEventListener('abort', giveUp));
  if (first.done) {
    const error = await ended;
    signal?.throwIfAborted();
    if (error?.exitCode !== HELD_ELSEWHERE) throw error;
    return undefined;
  }
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await holder;
    },
  };
}
