import Docker from 'dockerode';
import { type Environment, readEnvironment } from '#libs/config.ts';
import { describeUserIds, othersWithin, type UserIds } from '#libs/user-ids.ts';
import { readSettings } from '../host/settings.ts';
import { userIdsFor } from '../local/user-ids.ts';
import type { Finding } from './finding.ts';

/**
 * Whether somebody on this machine has ids of users that the one executor of `npm start` gives to sandboxes with these variables.
 * Sandboxes of the engine at the socket, if one answers, are nobody else.
 */
export async function examineUserIds(variables: Environment, engineSocket: string | undefined): Promise<Finding> {
  const range = rangeOf(variables);
  const sandboxes = engineSocket ? await usersAt(engineSocket) : new Set<number>();
  const others = await othersWithin(range, (id) => sandboxes.has(id) || sandboxes.has(id - 1));
  const name = 'user ids';
  const ids = describeUserIds(range);
  const fix = 'set EXECUTOR_FIRST_USER_ID to ids that nobody has, for executors and for npm run doctor';
  if (others.length === 0) return { name, ok: true, found: `${ids} are nobody's` };
  const more = others.length > 1 ? `, and ${others.length - 1} more` : '';
  const found = `of ${range.count} that sandboxes get, others have some: ${others[0]}${more}`;
  return { name, ok: false, found, fix };
}

function rangeOf(variables: Environment): UserIds {
  const [executor] = readSettings(variables, 1).ports.executors;
  const env = readEnvironment(userIdsFor({ port: executor!.port, index: 0 }, variables));
  const first = env.integer('EXECUTOR_FIRST_USER_ID');
  const count = env.integer('EXECUTOR_USER_IDS');
  const index = env.integer('EXECUTOR_INDEX', 0);
  env.check();
  return { first: first + index * count, count };
}

/** Users of the containers of every executor at an engine. The owner has the next id. */
async function usersAt(socketPath: string): Promise<Set<number>> {
  const filters = JSON.stringify({ label: ['drydock.user'] });
  const containers = await new Docker({ socketPath }).listContainers({ all: true, filters });
  return new Set(containers.map(({ Labels }) => Number(Labels['drydock.user'])));
}
