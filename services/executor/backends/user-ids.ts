import { DrydockError } from '#libs/errors.ts';
import type { UserIds } from '#libs/user-ids.ts';

const RETRY_AFTER_MS = 1_000;

/** Throws, with a line for the operator, if there are not `each` ids for every instance. */
export function requireRoom({ count }: UserIds, maxInstances: number, each: number): void {
  const needed = each * maxInstances;
  if (count >= needed) return;
  throw new Error(
    `bad configuration\n  EXECUTOR_USER_IDS: needs at least ${needed}, ${each} for each of the ${maxInstances} instances that ` +
      `EXECUTOR_MAX_SANDBOXES and the catalogue allow, not ${count}`,
  );
}

/**
 * Finds free ids of a range, in steps: each time the next one after the last, so that an id rests for as long as possible before
 * somebody else has it. Errors: NO_CAPACITY.
 */
export function createTurns({ first, count }: UserIds, step: number): (taken: ReadonlySet<number>) => number {
  const places = Math.floor(count / step);
  let next = 0;
  return (taken) => {
    for (let tries = 0; tries < places; tries++) {
      const id = first + step * next;
      next = (next + 1) % places;
      if (!taken.has(id)) return id;
    }
    throw new DrydockError('NO_CAPACITY', 'this executor has no user id left for another sandbox', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  };
}

/** `/etc/passwd` and `/etc/group` of a sandbox whose programs have this id; cells have those of their image. */
export function accountsOf(id: number): { passwd: string; group: string } {
  const passwd = [
    'root:x:0:0:root:/root:/bin/bash',
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    `user:x:${id}:${id}:user:/home/user:/bin/bash`,
  ];
  const group = ['root:x:0:', 'tty:x:5:', 'nogroup:x:65534:', `user:x:${id}:`];
  return { passwd: `${passwd.join('\n')}\n`, group: `${group.join('\n')}\n` };
}
