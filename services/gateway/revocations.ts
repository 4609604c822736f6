import { LRUCache } from 'lru-cache';
import { DrydockError } from '#libs/errors.ts';
import type { Events } from '#libs/events.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { ApiKeyRevoked, OrganizationDeleted } from '#proto/drydock/internal/v1/events.ts';

const STREAM = 'AUTH';
const SUBJECTS = 'drydock.auth.>';
const REVOKED_SUBJECT = 'drydock.auth.apikey.revoked';
const DELETED_SUBJECT = 'drydock.auth.organization.deleted';
/** Longer than a token lives, so that a token whose key was revoked expires before the key is forgotten. */
const REMEMBERED_MS = 20 * 60_000;
const MAX_REMEMBERED = 100_000;

export type Revocations = {
  /**
   * A call that a key of an organisation pays for: `signal` is aborted with CREDENTIAL_INVALID when the key is revoked or the
   * organisation deleted. Throws that if it is.
   */
  begin(caller: Pick<Caller, 'apiKeyId' | 'organizationId'>): { signal: AbortSignal } & Disposable;
};

/** Knows the keys and organisations that ended lately, also before this process started, and ends their calls. */
export function watchRevocations(events: Events, now: () => number = Date.now): Revocations & Disposable {
  const revoked = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS });
  const live = new Map<string, Set<AbortController>>();
  const listening = new DisposableStack();

  const revoke = (id: string) => {
    if (!revoked.has(id)) revoked.set(id, true);
    for (const call of live.get(id) ?? []) call.abort(noLonger());
  };
  const watch = (subject: string, idOf: (data: Uint8Array) => string) => {
    const since = new Date(now() - REMEMBERED_MS);
    listening.use(events.follow({ stream: STREAM, subject, since, handle: (data) => revoke(idOf(data)) }));
  };
  events.keepStream(STREAM, [SUBJECTS]);
  watch(REVOKED_SUBJECT, (data) => ApiKeyRevoked.decode(data).apiKeyId);
  watch(DELETED_SUBJECT, (data) => OrganizationDeleted.decode(data).organizationId);

  return {
    begin({ apiKeyId, organizationId }) {
      const ids = [apiKeyId, organizationId];
      if (ids.some((id) => revoked.has(id))) throw noLonger();
      const call = new AbortController();
      for (const id of ids) live.set(id, (live.get(id) ?? new Set()).add(call));
      return {
        signal: call.signal,
        [Symbol.dispose]() {
          for (const id of ids) {
            const calls = live.get(id);
            calls?.delete(call);
            if (calls?.size === 0) live.delete(id);
          }
        },
      };
    },
    [Symbol.dispose]: () => listening.dispose(),
  };
}

const noLonger = () => new DrydockError('CREDENTIAL_INVALID', 'the API key was revoked');
