import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { createRateLimit, type RateLimit } from './rate-limit.ts';
import { createTokenVerifier } from './tokens.ts';

const MAX_CREDENTIALS = 10_000;
const REMEMBERED_MS = 30_000;
const AUTH_DEADLINE_MS = 5_000;
const MAX_CREDENTIAL_LENGTH = 8_192;
/** Wrong credentials that one peer may send. */
const FAILURES = { perSecond: 5, burst: 50 };

export type Authenticate = (authorization: string | undefined, peer: string) => Promise<Caller>;

export type Authentication = {
  authenticate: Authenticate;
  /** Asks auth anew about whoever belongs to the organisation: it has another quota. */
  forget(organizationId: string): void;
};

export type Dependencies = {
  credentials: Client<CredentialServiceDefinition>;
  failures?: RateLimit;
  now?: () => number;
};

/**
 * Who an `Authorization: Bearer …` header is, by API key or token. What was found is kept for 30 s by the credential's
 * SHA-256. `peer` is `address:port`; one that sends many wrong credentials is refused until it pauses, unless its
 * credential is a known one. Errors: CREDENTIAL_INVALID, RATE_LIMITED, SERVICE_UNAVAILABLE.
 */
export function createAuthentication(dependencies: Dependencies): Authentication {
  const { credentials, failures = createRateLimit(FAILURES), now = Date.now } = dependencies;
  const known = new LRUCache<string, Caller>({ max: MAX_CREDENTIALS, ttl: REMEMBERED_MS, perf: { now } });
  const pending = new Map<string, Promise<Caller>>();
  /** Counts what was forgotten: an answer that was asked for before may be as old. */
  let changes = 0;
  const verify = createTokenVerifier(
    async () => (await credentials.getKeySet({}, { deadlineMs: AUTH_DEADLINE_MS })).json,
    now,
  );

  const lookUp = async (credential: string, key: string): Promise<Caller> => {
    if (!credential.startsWith('dk_')) {
      const { caller, expireMs } = await verify(credential);
      known.set(key, caller, { ttl: Math.max(1, Math.min(REMEMBERED_MS, expireMs - now())) });
      return caller;
    }
    const asked = changes;
    const { caller } = await credentials.authenticateApiKey({ secret: credential }, { deadlineMs: AUTH_DEADLINE_MS });
    if (!caller) throw new DrydockError('INTERNAL', 'auth named nobody');
    if (asked === changes) known.set(key, caller);
    return caller;
  };

  const authenticate: Authenticate = async (authorization, peer) => {
    const credential = readBearer(authorization);
    const key = createHash('sha256').update(credential).digest('base64');
    const caller = known.get(key);
    if (caller) return caller;

    const host = peer.slice(0, peer.lastIndexOf(':'));
    const retryAfterMs = failures.wait(host);
    if (retryAfterMs > 0)
      throw new DrydockError('RATE_LIMITED', 'too many wrong credentials from this address', { retryAfterMs });
    // A burst of calls with one credential asks auth once.
    let looking = pending.get(key);
    if (!looking) {
      looking = lookUp(credential, key).finally(() => pending.delete(key));
      pending.set(key, looking);
    }
    return looking.catch((error) => {
      if (hasReason(error, 'CREDENTIAL_INVALID')) failures.take(host);
      throw error;
    });
  };
  return {
    authenticate,
    forget(organizationId) {
      changes++;
      for (const [key, caller] of known.entries()) if (caller.organizationId === organizationId) known.delete(key);
    },
  };
}

function readBearer(authorization: string | undefined): string {
  if (!authorization)
    throw new DrydockError('CREDENTIAL_INVALID', 'no credential; send `Authorization: Bearer <API key or token>`');
  const [, credential] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (!credential || credential.length > MAX_CREDENTIAL_LENGTH)
    throw new DrydockError('CREDENTIAL_INVALID', 'the Authorization header is not `Bearer <API key or token>`');
  return credential;
}
