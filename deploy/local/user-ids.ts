import type { Environment } from '#libs/config.ts';
import { USER_IDS } from '#libs/user-ids.ts';

const LOWEST = 2_001_000_000;
const COUNT = 1_024;

/** Ids of users for an executor that listens on this port, and so for no other one of this machine. */
export function userIdsAt(port: number): Record<string, string> {
  return { EXECUTOR_FIRST_USER_ID: `${LOWEST + port * COUNT}`, EXECUTOR_USER_IDS: `${COUNT}` };
}

/**
 * Ids of users for an executor of a platform: its part of those from the operator's `EXECUTOR_FIRST_USER_ID` on, or else those of
 * its port.
 */
export function userIdsFor({ port, index }: { port: number; index: number }, operators: Environment) {
  const { EXECUTOR_FIRST_USER_ID: first, EXECUTOR_USER_IDS: count, EXECUTOR_INDEX: from = '0' } = operators;
  if (!first) return userIdsAt(port);
  return {
    EXECUTOR_FIRST_USER_ID: first,
    EXECUTOR_USER_IDS: count || `${USER_IDS}`,
    EXECUTOR_INDEX: `${Number(from) + index}`,
  };
}
