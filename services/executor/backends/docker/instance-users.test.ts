import type Docker from 'dockerode';
import { expect, test } from 'vitest';
import { EXECUTOR_LABEL, INSTANCE_LABEL, USER_LABEL } from './container.ts';
import { openInstanceUsers } from './instance-users.ts';

const FIRST = 2_147_000_000;

test('nobody gets an id of an earlier instance, also where the range has moved by one', async () => {
  const containers = [FIRST - 1, FIRST + 3].map((user) => ({
    Labels: { [EXECUTOR_LABEL]: 'own', [INSTANCE_LABEL]: `ins_${user}`, [USER_LABEL]: String(user) },
  }));
  const docker = { listContainers: async () => containers } as unknown as Docker;
  const userIds = { first: FIRST, count: 8 };
  const users = await openInstanceUsers(docker, { executorId: 'own', userIds, maxInstances: 1 });
  // Of the four pairs from FIRST on, one has the owner of the first instance, and two have ids of the second.
  expect(users.take('ins_new')).toBe(FIRST + 6);
  expect(() => users.take('ins_another')).toThrow('no user id left');
});
