import type { V1Pod } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { createPodUsers } from './pod-users.ts';

const userIds = { first: 100, count: 3 };
const podOf = (runAsUser: number, hostUsers?: boolean): V1Pod => ({
  spec: { containers: [], securityContext: { runAsUser }, ...(hostUsers === undefined ? {} : { hostUsers }) },
});

test('a new pod has a user that neither another executor’s pod has nor one that is being made', async () => {
  const pods = { all: () => [podOf(101), podOf(100, false)] };
  const users = createPodUsers({ userIds, maxInstances: 3, hostUsers: true, pods });
  await users.withUser(async (first) => {
    expect(first).toBe(100);
    await users.withUser(async (second) => expect(second).toBe(102));
    await expect(users.withUser(async () => users.withUser(async () => {}))).rejects.toMatchObject({
      reason: 'NO_CAPACITY',
    });
  });
});

test('a user is free again when its pod could not be made', async () => {
  const users = createPodUsers({ userIds, maxInstances: 3, hostUsers: true, pods: { all: () => [podOf(101)] } });
  const fail = async () => {
    throw new Error('no');
  };
  for (let times = 0; times < 5; times++) await expect(users.withUser(fail)).rejects.toThrow('no');
});

test('pods with a user namespace need none', async () => {
  const users = createPodUsers({ userIds, maxInstances: 1_000, hostUsers: false, pods: { all: () => [] } });
  await users.withUser(async (user) => expect(user).toBeNull());
});

test('a range that is too small is refused', () => {
  expect(() => createPodUsers({ userIds, maxInstances: 4, hostUsers: true, pods: { all: () => [] } })).toThrow(
    'EXECUTOR_USER_IDS: needs at least 4, 1 for each of the 4 instances',
  );
});
