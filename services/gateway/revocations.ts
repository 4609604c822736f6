import { LRUCache } from 'lru-cache';
import { DrydockError } from '#libs/errors.ts';
import type { Events } from '#libs/events.ts';
import { ApiKeyRevoked } from '#proto/drydock/internal/v1/events.ts';

const STREAM = 'AUTH';
const SUBJECTS = 'drydock.auth.>';
const REVOKED_SUBJECT = 'drydock.auth.apikey.revoked';
/** Longer than a token lives, so that a token whose key was revoked expires before the key is forgotten. */
const REMEMBERED_MS = 20 * 60_000;
const MAX_REMEMBERED = 100_000;

export type Revocations = {
  isRevoked(apiKeyId: string): boolean;
  /** A call that a key pays for: `signal` is aborted with CREDENTIAL_INVALID when the key is revoked. Throws that if it is. */
  begin(apiKeyId: string): { signal: AbortSignal } & Disposable;
};

/** Knows the keys that were revoked lately, also before this process started, and ends their calls. */
export function watchRevocations(events: Events, now: () => number = Date.now): Revocations & Disposable {
  const revoked = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS });
  const live = new Map<string, Set<AbortController>>();

  const revoke = (data: Uint8Array) => {
    const { apiKeyId } = ApiKeyRevoked.decode(data);
    if (!revoked.has(apiKeyId)) revoked.set(apiKeyId, true);
    for (const call of live.get(apiKeyId) ?? []) call.abort(keyRevoked());
  };
  // At once from whoever tells it now; and from the stream what was told while nobody here listened.
  const told = events.subscribe(REVOKED_SUBJECT, revoke);
  events.keepStream(STREAM, [SUBJECTS]);
  const stored = events.follow({
    stream: STREAM,
    subject: REVOKED_SUBJECT,
    since: new Date(now() - REMEMBERED_MS),
    handle: revoke,
  });

  return {
    isRevoked: (apiKeyId) => revoked.has(apiKeyId),
    begin(apiKeyId) {
      if (revoked.has(apiKeyId)) throw keyRevoked();
      const call = new AbortController();
      const calls = live.get(apiKeyId) ?? new Set();
      live.set(apiKeyId, calls.add(call));
      return {
        signal: call.signal,
        [Symbol.dispose]() {
          calls.delete(call);
          if (calls.size === 0 && live.get(apiKeyId) === calls) live.delete(apiKeyId);
        },
      };
    },
    [Symbol.dispose]() {
      told[Symbol.dispose]();
      stored[Symbol.dispose]();
    },
  };
}

const keyRevoked = () => new DrydockError('CREDENTIAL_INVALID', 'the API key was revoked');
