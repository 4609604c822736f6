import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isHeld, listenAlone } from '#libs/lock-directory.ts';
import { describeUserIds, overlap, type UserIds } from '#libs/user-ids.ts';

/** A socket for each range of the host. Executors in containers share it by a mount. */
export const LOCKS = '/run/drydock/user-ids';
const NAME = /^(\d+)-(\d+)$/;

/**
 * Locks a range of ids on this host until disposed, or until this process ends. Throws if another process has locked one that
 * overlaps it.
 */
export async function lockUserIds(range: UserIds, directory = LOCKS): Promise<AsyncDisposable> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await using own = new AsyncDisposableStack();
  // First its own, then the others': of two that start at the same time, each sees the other.
  const name = `${range.first}-${range.count}`;
  const lock = await listenAlone(join(directory, name));
  if (!lock) throw taken(range, range);
  own.use(lock);
  for (const each of await readdir(directory)) {
    const [, first, count] = NAME.exec(each) ?? [];
    const other = { first: Number(first), count: Number(count) };
    if (each !== name && overlap(range, other) && (await isHeld(join(directory, each)))) throw taken(range, other);
  }
  return own.move();
}

function taken(range: UserIds, other: UserIds): Error {
  return new Error(
    `bad configuration\n  EXECUTOR_FIRST_USER_ID: another executor on this host has the user ids ${describeUserIds(other)}; ` +
      `give this one others than ${describeUserIds(range)}`,
  );
}
