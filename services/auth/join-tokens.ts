import type { DrydockError } from '#libs/errors.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import { audit } from './audit.ts';
import { type Problem, refused } from './refusals.ts';
import { hashSecret, newJoinToken } from './secrets.ts';

/** No organisation acts where executors join. */
export const NOBODY = { organizationId: '', apiKeyId: '' };

export const MAX_MINUTES = 24 * 60;

/** Makes a token for an executor. It is answered once, and only its hash is kept. */
export async function createJoinToken(
  db: Database,
  executorId: string,
  minutes: number,
): Promise<{ token: string; expireTime: Date }> {
  const token = newJoinToken();
  return db.transaction(async (tx) => {
    const [row] = await tx.query<{ expire_time: Date }>(
      `insert into join_tokens (token_sha256, executor_id, expire_time)
       values ($1, $2, now() + make_interval(mins => $3)) returning expire_time`,
      [hashSecret(token), executorId, minutes],
    );
    await audit(tx, NOBODY, 'CreateJoinToken', executorId);
    return { token, expireTime: row!.expire_time };
  });
}

/** The executor that a token was made for, used or not. Errors: CREDENTIAL_INVALID if it is unknown or expired. */
export async function executorOf(db: Queryable, token: string): Promise<string> {
  const [row] = await db.query<{ executor_id: string; expired: boolean }>(
    'select executor_id, expire_time <= now() as expired from join_tokens where token_sha256 = $1',
    [hashSecret(token)],
  );
  if (!row) throw refusedToken('JOIN_TOKEN_UNKNOWN', 'the join token is unknown');
  if (row.expired) throw refusedToken('JOIN_TOKEN_EXPIRED', 'the join token has expired');
  return row.executor_id;
}

/** Uses a token up for the holder of one key, who may repeat it. Errors: CREDENTIAL_INVALID if another key used it. */
export async function useJoinToken(tx: Queryable, token: string, keySha256: Buffer): Promise<void> {
  const used = await tx.query(
    `update join_tokens set use_time = coalesce(use_time, now()), key_sha256 = $2
     where token_sha256 = $1 and expire_time > now() and (use_time is null or key_sha256 = $2) returning 1`,
    [hashSecret(token), keySha256],
  );
  if (used.length === 0) throw refusedToken('JOIN_TOKEN_USED', 'the join token was used before');
}

function refusedToken(problem: Problem, message: string): DrydockError {
  return refused(problem, `${message}; make another one with services/auth/create-join-token.ts`);
}
