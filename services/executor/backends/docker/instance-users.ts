import type Docker from 'dockerode';
import { describeUserIds, isWithin, othersWithin, type UserIds } from '#libs/user-ids.ts';
import { createTurns, requireRoom } from '../user-ids.ts';
import { EXECUTOR_LABEL, INSTANCE_LABEL, nameOf, USER_LABEL } from './container.ts';

/** Of one instance: that of its programs, and the next one, of the owner of what the agent makes for them. */
const IDS_PER_INSTANCE = 2;

/** The user of each instance. An id is free once its container was removed. */
export type InstanceUsers = {
  /** Gives an instance a user that no other one has, with the id after it. Errors: NO_CAPACITY. */
  take(instanceId: string): number;
  free(instanceId: string): void;
  /** Instances that have one. */
  holders(): string[];
};

/**
 * The users of a range, without those of containers that an earlier process left. Throws, with a line that says what to do, if the
 * range is too small for `maxInstances`, or if somebody else on this host or its engine has ids of it.
 */
export async function openInstanceUsers(
  docker: Docker,
  { executorId, userIds, maxInstances }: { executorId: string; userIds: UserIds; maxInstances: number },
): Promise<InstanceUsers> {
  requireRoom(userIds, maxInstances, IDS_PER_INSTANCE);
  const users = new Map<string, number>();
  const others: string[] = [];
  const containers = await docker.listContainers({ all: true, filters: JSON.stringify({ label: [USER_LABEL] }) });
  for (const { Labels } of containers) {
    const [instanceId = '', user] = [Labels[INSTANCE_LABEL], Number(Labels[USER_LABEL])];
    if (Labels[EXECUTOR_LABEL] === executorId) users.set(instanceId, user);
    else if (isWithin(userIds, user) || isWithin(userIds, user + 1))
      others.push(`container ${nameOf(instanceId)} of executor ${Labels[EXECUTOR_LABEL]} has ${user}`);
  }
  const ours = new Set([...users.values()].flatMap((user) => [user, user + 1]));
  others.push(...(await othersWithin(userIds, (id) => ours.has(id))));
  if (others.length > 0)
    throw new Error(
      `bad configuration\n  EXECUTOR_FIRST_USER_ID: others have user ids of ${describeUserIds(userIds)}: ${others[0]}` +
        (others.length > 1 ? `, and ${others.length - 1} more` : ''),
    );
  const nextFree = createTurns(userIds, IDS_PER_INSTANCE);
  return {
    take(instanceId) {
      // A range that was moved may begin between the two ids of an earlier instance.
      const user = nextFree(new Set([...users.values()].flatMap((each) => [each - 1, each, each + 1])));
      users.set(instanceId, user);
      return user;
    },
    free: (instanceId) => void users.delete(instanceId),
    holders: () => [...users.keys()],
  };
}
