import { expect, test } from 'vitest';
import { userIdsAt, userIdsFor } from './user-ids.ts';

test('an executor has the ids of its port', () => {
  expect(userIdsFor({ port: 7_014, index: 1 }, {})).toEqual(userIdsAt(7_014));
});

test('from the id that an operator sets, each executor has a part of its own', () => {
  const operators = { EXECUTOR_FIRST_USER_ID: '70000' };
  expect([0, 1].map((index) => userIdsFor({ port: 7_014, index }, operators))).toEqual(
    ['0', '1'].map((index) => ({ ...operators, EXECUTOR_USER_IDS: '4096', EXECUTOR_INDEX: index })),
  );
  const all = { ...operators, EXECUTOR_USER_IDS: '512', EXECUTOR_INDEX: '2' };
  expect(userIdsFor({ port: 7_014, index: 1 }, all)).toEqual({ ...all, EXECUTOR_INDEX: '3' });
});
