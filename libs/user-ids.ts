import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { missingFile } from '#libs/missing.ts';

/** Ids of users, and of groups of the same numbers: `count` ids from `first` on. */
export type UserIds = { readonly first: number; readonly count: number };

/**
 * Where the ids of sandboxes begin unless configured: above what Linux distributions, `useradd`, containers of systemd and
 * directory services give out, and below 2^31, which Kubernetes does not pass.
 */
export const FIRST_USER_ID = 2_100_000_000;
/** How many of them an executor has unless configured. */
export const USER_IDS = 4_096;
export const MAX_USER_ID = 2_147_483_647;

export function isWithin({ first, count }: UserIds, id: number): boolean {
  return id >= first && id < first + count;
}

export function overlap(a: UserIds, b: UserIds): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}

/** As an operator reads them: `2100000000 to 2100004095`. */
export const describeUserIds = ({ first, count }: UserIds): string => `${first} to ${first + count - 1}`;

export type HostFiles = { etc: string; proc: string };
const HOST: HostFiles = { etc: '/etc', proc: '/proc' };

/**
 * Who has ids of the range on this host, as far as this process sees the host: users and groups of its files, their subordinate
 * ids, and running processes, except those whose id `isOurs`. A clause for each.
 */
export async function othersWithin(
  range: UserIds,
  isOurs: (id: number) => boolean = () => false,
  { etc, proc }: HostFiles = HOST,
): Promise<string[]> {
  const found = [
    ...(await Promise.all([
      namesIn(join(etc, 'passwd'), range, (name, id) => `user ${name} is ${id}`),
      namesIn(join(etc, 'group'), range, (name, id) => `group ${name} is ${id}`),
      subordinatesIn(join(etc, 'subuid'), range),
      subordinatesIn(join(etc, 'subgid'), range),
    ])),
    await processesWithin(proc, range, isOurs),
  ];
  return found.flat();
}

/** Lines of the file, which may be missing, in fields. */
async function fieldsOf(file: string): Promise<string[][]> {
  const text = (await readFile(file, 'utf8').catch(missingFile)) ?? '';
  return text.split('\n').map((line) => line.split(':'));
}

async function namesIn(file: string, range: UserIds, describe: (name: string, id: number) => string) {
  const entries = (await fieldsOf(file)).map(([name = '', , id = '']) => [name, Number.parseInt(id, 10)] as const);
  return entries.filter(([, id]) => isWithin(range, id)).map(([name, id]) => `${describe(name, id)} in ${file}`);
}

async function subordinatesIn(file: string, range: UserIds): Promise<string[]> {
  return (await fieldsOf(file))
    .map(([name = '', first = '', count = '']) => ({ name, first: Number(first), count: Number(count) }))
    .filter((each) => each.count > 0 && overlap(range, each))
    .map(({ name, ...ids }) => `${name} has ${describeUserIds(ids)} in ${file}`);
}

async function processesWithin(proc: string, range: UserIds, isOurs: (id: number) => boolean): Promise<string[]> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(join(proc, pid, 'status'), 'utf8').catch(missingProcess);
      const ids = [...(status ?? '').matchAll(/^[UG]id:\s+(.*)$/gm)].flatMap(([, line = '']) => line.split(/\s+/));
      const taken = ids.map(Number).find((id) => isWithin(range, id) && !isOurs(id));
      return taken === undefined ? [] : [`process ${pid} runs as ${taken}`];
    }),
  );
  return found.flat();
}

/** It ended after it was listed. */
function missingProcess(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  return missingFile(error);
}
