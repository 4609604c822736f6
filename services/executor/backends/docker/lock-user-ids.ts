import { mkdir } from 'node:fs/promises';
import { listenAlone } from '#libs/lock-directory.ts';
import { describeUserIds, overlap, type UserIds } from '#libs/user-ids.ts';

/** A socket for each range of the host. Executors in containers share it by a mount. */
export const LOCKS = '/run/drydock/user-ids';
const NAME = /^(\d+)-(\d+)(-[0-9a-f]+)?$/;

/**
 * Locks a range of ids on this host until disposed, or until this process ends. Throws if another process has locked one that
 * overlaps it, or is about to.
 */
export async function lockUserIds(range: UserIds, directory = LOCKS): Promise<AsyncDisposable> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return listenAlone(directory, `${range.first}-${range.count}`, (name) => {
    const [, first, count] = NAME.exec(name) ?? [];
    const other = { first: Number(first), count: Number(count) };
    return overlap(range, other) ? taken(range, other) : undefined;
  });
}

function taken(range: UserIds, other: UserIds): Error {
  return new Error(
    `bad configuration\n  EXECUTOR_FIRST_USER_ID: another executor on this host has the user ids ${describeUserIds(other)}; ` +
      `give this one others than ${describeUserIds(range)}`,
  );
}
