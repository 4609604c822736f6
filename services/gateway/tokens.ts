import { createLocalJWKSet, errors, type JWTPayload, jwtVerify, type LocalJWKSet } from 'jose';
import { DrydockError } from '#libs/errors.ts';
import type { AppliedQuota, Caller } from '#proto/drydock/internal/v1/caller.ts';

const ISSUER = 'drydock';
const ALGORITHM = 'EdDSA';
const DEFAULT_BLOB_BYTES = 10 * 1024 ** 3;
const REFRESH_MS = 5 * 60_000;
/** A token of an unknown key makes the keys be asked for again, but not more often than this. */
const MIN_REFRESH_MS = 5_000;

export type TokenVerifier = (token: string) => Promise<{ caller: Caller; expireMs: number }>;

/**
 * Checks tokens against auth's keys, which are kept: tokens go on working while auth is away.
 * `fetchKeySet` answers with a JSON Web Key Set. Errors: CREDENTIAL_INVALID, and what `fetchKeySet` throws when there are no keys yet.
 */
export function createTokenVerifier(fetchKeySet: () => Promise<string>, now: () => number = Date.now): TokenVerifier {
  let keys: Promise<LocalJWKSet> | undefined;
  let fetched = Number.NEGATIVE_INFINITY;

  const current = (maxAgeMs: number): Promise<LocalJWKSet> => {
    if (keys && now() - fetched < maxAgeMs) return keys;
    const before = keys;
    fetched = now();
    const next = fetchKeySet().then((json) => createLocalJWKSet(JSON.parse(json)));
    keys = next.catch((error) => {
      // Old keys are better than none; without any, the next call tries again.
      if (before) return before;
      fetched = Number.NEGATIVE_INFINITY;
      keys = undefined;
      throw error;
    });
    return keys;
  };

  const verify = async (token: string, maxAgeMs: number) => {
    const keySet = await current(maxAgeMs);
    return jwtVerify(token, keySet, { issuer: ISSUER, algorithms: [ALGORITHM], currentDate: new Date(now()) });
  };

  return async (token) => {
    try {
      const { payload } = await verify(token, REFRESH_MS).catch((error) => {
        if (error instanceof errors.JWKSNoMatchingKey) return verify(token, MIN_REFRESH_MS);
        throw error;
      });
      return { caller: callerOf(payload), expireMs: (payload.exp ?? 0) * 1000 };
    } catch (error) {
      if (error instanceof errors.JOSEError)
        throw new DrydockError('CREDENTIAL_INVALID', 'the token is malformed, expired or not signed by this platform', {
          cause: error,
        });
      throw error;
    }
  };
}

function callerOf({ sub, exp, key, scopes, quota }: JWTPayload): Caller {
  const valid =
    typeof sub === 'string' &&
    typeof exp === 'number' &&
    typeof key === 'string' &&
    isQuota(quota) &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === 'string');
  if (!valid) throw new errors.JWTClaimValidationFailed('a claim is missing', {});
  return {
    organizationId: sub,
    apiKeyId: key,
    scopes,
    quota: { ...quota, sharedPool: quota.sharedPool ?? true, blobBytes: quota.blobBytes ?? DEFAULT_BLOB_BYTES },
  };
}

type TokenQuota = Omit<AppliedQuota, 'sharedPool' | 'blobBytes'> & { sharedPool?: boolean; blobBytes?: number };

/** A token of an older auth lacks what that did not know. */
function isQuota(quota: unknown): quota is TokenQuota {
  const names = ['concurrentSandboxes', 'concurrentExecutions', 'queuedExecutions', 'queueWeight'] as const;
  const values = quota as Partial<AppliedQuota> | undefined;
  return (
    names.every((name) => typeof values?.[name] === 'number') &&
    ['boolean', 'undefined'].includes(typeof values?.sharedPool) &&
    ['number', 'undefined'].includes(typeof values?.blobBytes)
  );
}
