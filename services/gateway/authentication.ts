import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { createApiKeyLookups } from './api-key-lookups.ts';
import { createTokenVerifier } from './tokens.ts';

const MAX_CREDENTIALS = 10_000;
const REMEMBERED_MS = 30_000;
const WRONG_REMEMBERED_MS = 5_000;
const AUTH_DEADLINE_MS = 5_000;
const RETRY_MS = 1_000;
const MAX_CREDENTIAL_LENGTH = 8_192;

/**
 * Who sends a call, by its `Authorization` header; several are joined by commas. Errors: CREDENTIAL_INVALID,
 * SERVICE_UNAVAILABLE.
 */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

export type Authentication = {
  authenticate: Authenticate;
  /** Asks auth anew about every caller of the organisation: its quota has changed. */
  forget(organizationId: string): void;
};

export type Dependencies = {
  credentials: Pick<Client<CredentialServiceDefinition>, 'authenticateApiKeys' | 'getKeySet'>;
  /** Until they are, tokens are refused. */
  revocationsKnown: () => boolean;
  now?: () => number;
};

type Found = { caller: Caller; expireMs: number };

/**
 * Who an `Authorization: Bearer …` header is, by API key or token. Who was found is kept for 30 s by the credential's SHA-256,
 * and that it is wrong for 5 s, apart from these, so that wrong ones push out none that is right. Nothing is counted by address:
 * a credential of 256 random bits is not found by trying, and behind one address there may be everybody.
 */
export function createAuthentication(dependencies: Dependencies): Authentication {
  const { credentials, revocationsKnown, now = Date.now } = dependencies;
  const size = { max: MAX_CREDENTIALS, perf: { now }, ttlResolution: 0 };
  const known = new LRUCache<string, Caller>({ ...size, ttl: REMEMBERED_MS });
  const wrong = new LRUCache<string, string>({ ...size, ttl: WRONG_REMEMBERED_MS });
  const pending = new Map<string, Promise<Caller>>();
  /** Counts what was forgotten: an answer that was asked for before may be as old. */
  let changes = 0;
  const lookUpApiKey = createApiKeyLookups(credentials, now);
  const verify = createTokenVerifier(
    async () => (await credentials.getKeySet({}, { deadlineMs: AUTH_DEADLINE_MS })).json,
    now,
  );

  const lookUp = async (credential: string, sha256: Buffer): Promise<Found> => {
    if (!credential.startsWith('dk_')) {
      const found = await verify(credential);
      if (!revocationsKnown()) throw revocationsUnknown();
      return found;
    }
    const { caller, expireTime } = await lookUpApiKey(sha256);
    if (!caller) throw new DrydockError('CREDENTIAL_INVALID', 'the API key is unknown, expired or revoked');
    return { caller, expireMs: expireTime?.getTime() ?? Number.POSITIVE_INFINITY };
  };
  const find = async (credential: string, sha256: Buffer, key: string): Promise<Caller> => {
    const asked = changes;
    try {
      const { caller, expireMs } = await lookUp(credential, sha256);
      const ttl = Math.max(1, Math.min(REMEMBERED_MS, expireMs - now()));
      if (asked === changes) known.set(key, caller, { ttl });
      return caller;
    } catch (error) {
      if (hasReason(error, 'CREDENTIAL_INVALID')) wrong.set(key, error.message);
      throw error;
    } finally {
      pending.delete(key);
    }
  };

  return {
    async authenticate(authorization) {
      const credential = readBearer(authorization);
      const sha256 = createHash('sha256').update(credential).digest();
      const key = sha256.toString('base64');
      const caller = known.get(key);
      if (caller) return caller;
      const refusal = wrong.get(key);
      if (refusal) throw new DrydockError('CREDENTIAL_INVALID', refusal);
      // A burst of calls with one credential asks auth once.
      let finding = pending.get(key);
      if (!finding) {
        finding = find(credential, sha256, key);
        pending.set(key, finding);
      }
      return finding;
    },
    forget(organizationId) {
      changes++;
      for (const [key, caller] of known.entries()) if (caller.organizationId === organizationId) known.delete(key);
    },
  };
}

const revocationsUnknown = () =>
  new DrydockError('SERVICE_UNAVAILABLE', 'tokens cannot be checked against revocations yet; try again', {
    retryAfterMs: RETRY_MS,
  });

function readBearer(authorization: string | undefined): string {
  if (!authorization)
    throw new DrydockError('CREDENTIAL_INVALID', 'no credential; send `Authorization: Bearer <API key or token>`');
  // No credential has a comma in it. Another part of the way may look at the other header.
  if (authorization.includes(','))
    throw new DrydockError('CREDENTIAL_INVALID', 'there are several Authorization headers; send one');
  const [, credential] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (!credential || credential.length > MAX_CREDENTIAL_LENGTH)
    throw new DrydockError('CREDENTIAL_INVALID', 'the Authorization header is not `Bearer <API key or token>`');
  return credential;
}
