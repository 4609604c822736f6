const LOWEST = 2_001_000_000;
const COUNT = 1_024;

/** Ids of users for an executor that listens on this port, and so for no other one of this machine. */
export function userIdsAt(port: number): Record<string, string> {
  return { EXECUTOR_FIRST_USER_ID: `${LOWEST + port * COUNT}`, EXECUTOR_USER_IDS: `${COUNT}` };
}
