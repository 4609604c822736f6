import { createHash } from 'node:crypto';
import { createLocalJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { DrydockError } from '#libs/errors.ts';
import type { Events } from '#libs/events.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { ApiKeyRevoked } from '#proto/drydock/internal/v1/events.ts';
import { createBoundedMap } from './bounded-map.ts';
import { createLimiter } from './rate-limit.ts';

const REVOKED_SUBJECT = 'drydock.auth.apikey.revoked';
const ISSUER = 'drydock';
const CACHE_MS = 30_000;
const CACHED_KEYS = 10_000;
const DEADLINE_MS = 5_000;
// A revoked key's tokens live for at most a quarter of an hour more.
const REMEMBER_REVOKED_MS = 16 * 60_000;
const KEY_SET_MS = 5 * 60_000;
const FAILURES_PER_SECOND = 20;

/** A caller, and a signal that is aborted when their key is revoked. */
export type Authenticated = { caller: Caller; revoked: AbortSignal };

export type Authentication = Disposable & {
  /** Whose a credential is: the value of an `Authorization` header. Errors: CREDENTIAL_INVALID, RATE_LIMITED. */
  authenticate(authorization: string | undefined, peer: string): Promise<Authenticated>;
};

export function createAuthentication(dependencies: {
  credentials: Client<CredentialServiceDefinition>;
  events: Events;
}): Authentication {
  const { credentials, events } = dependencies;
  const keys = createBoundedMap<string, { caller: Caller; until: number }>(CACHED_KEYS);
  const live = createBoundedMap<string, AbortController>(CACHED_KEYS);
  const revokedAt = new Map<string, number>();
  const failures = createLimiter(FAILURES_PER_SECOND, FAILURES_PER_SECOND);
  let keySet: { verify: JWTVerifyGetKey; until: number } | undefined;

  const subscription = events.subscribe(REVOKED_SUBJECT, (data) => {
    const { apiKeyId } = ApiKeyRevoked.decode(data);
    for (const [hash, { caller }] of keys.entries()) if (caller.apiKeyId === apiKeyId) keys.delete(hash);
    for (const [id, at] of revokedAt) if (Date.now() - at > REMEMBER_REVOKED_MS) revokedAt.delete(id);
    revokedAt.set(apiKeyId, Date.now());
    live.get(apiKeyId)?.abort(invalid('the API key was revoked'));
    live.delete(apiKeyId);
  });
  // What was revoked while NATS was away was not heard of.
  const reconnected = events.onConnect(() => keys.clear());

  const signalOf = (apiKeyId: string): AbortSignal => {
    const known = live.get(apiKeyId) ?? new AbortController();
    live.set(apiKeyId, known);
    return known.signal;
  };

  const byKey = async (secret: string): Promise<Caller> => {
    const hash = createHash('sha256').update(secret).digest('base64');
    const cached = keys.get(hash);
    if (cached && cached.until > Date.now()) return cached.caller;
    const { caller } = await credentials.authenticateApiKey({ secret }, { deadlineMs: DEADLINE_MS });
    keys.set(hash, { caller: caller!, until: Date.now() + CACHE_MS });
    return caller!;
  };

  const byToken = async (token: string): Promise<Caller> => {
    if (!keySet || keySet.until < Date.now()) {
      const { json } = await credentials.getKeySet({}, { deadlineMs: DEADLINE_MS });
      keySet = { verify: createLocalJWKSet(JSON.parse(json)), until: Date.now() + KEY_SET_MS };
    }
    try {
      const { payload } = await jwtVerify(token, keySet.verify, { issuer: ISSUER, algorithms: ['EdDSA'] });
      const caller: Caller = {
        organizationId: payload.sub ?? '',
        apiKeyId: String(payload.key),
        scopes: payload.scopes as string[],
        concurrentSandboxes: Number(payload.quota),
      };
      if (revokedAt.has(caller.apiKeyId)) throw invalid('the token’s API key was revoked');
      return caller;
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) keySet = undefined;
      if (error instanceof errors.JOSEError) throw invalid('the token is not valid, or no longer');
      throw error;
    }
  };

  return {
    async authenticate(authorization, peer) {
      failures.check(peer, false);
      const credential = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
      try {
        if (!credential) throw invalid('send `Authorization: Bearer` with an API key or a token');
        const caller = await (credential.startsWith('dk_') ? byKey(credential) : byToken(credential));
        return { caller, revoked: signalOf(caller.apiKeyId) };
      } catch (error) {
        if (error instanceof DrydockError && error.reason === 'CREDENTIAL_INVALID') failures.check(peer, true);
        throw error;
      }
    },
    [Symbol.dispose]() {
      reconnected[Symbol.dispose]();
      subscription[Symbol.dispose]();
    },
  };
}

function invalid(message: string): DrydockError {
  return new DrydockError('CREDENTIAL_INVALID', message);
}
