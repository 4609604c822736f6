import type { UserIds } from '#libs/user-ids.ts';
import { createTurns, requireRoom } from '../user-ids.ts';
import { userOf } from './pod.ts';
import type { Pods } from './pods.ts';

/** Users of new pods. Each pod has one that no other pod of the environment has, whichever executor made it. */
export type PodUsers = {
  /**
   * Does work with a user for a new pod, which is in the cache of pods when the work ends, or does not exist. The user is null if
   * pods have user namespaces. Errors: those of the work; NO_CAPACITY.
   */
  withUser<T>(work: (user: number | null) => Promise<T>): Promise<T>;
};

export type PodUsersOptions = {
  userIds: UserIds;
  maxInstances: number;
  /** Pods have no user namespace: their ids are those of the node. */
  hostUsers: boolean;
  pods: Pick<Pods, 'all'>;
};

/** Throws, with a line for the operator, if the range is too small for `maxInstances`. */
export function createPodUsers({ userIds, maxInstances, hostUsers, pods }: PodUsersOptions): PodUsers {
  if (!hostUsers) return { withUser: (work) => work(null) };
  requireRoom(userIds, maxInstances, 1);
  const nextFree = createTurns(userIds, 1);
  /** Users of pods that the cache may not have yet. */
  const pending = new Set<number>();
  return {
    async withUser(work) {
      const existing = [...pods.all()].map(userOf).filter((user) => user !== undefined);
      const user = nextFree(pending.union(new Set(existing)));
      pending.add(user);
      try {
        return await work(user);
      } finally {
        pending.delete(user);
      }
    },
  };
}
