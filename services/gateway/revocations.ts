import { DrydockError } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { API_KEY_REVOKED, ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import type { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';

const READ_INTERVAL_MS = 2_000;
const READ_DEADLINE_MS = 10_000;
/** Longer than a token lives, so that a token whose key was revoked expires before the revocation is forgotten. */
const REMEMBERED_MS = 20 * 60_000;
/** Longer than a transaction lasts: what it revokes has the time of its start, and is there to be read at its end. */
const OVERLAP_MS = 60_000;

export type Revocations = {
  /** Whether they were read once. Until then a token may be one of a key that was revoked. */
  known(): boolean;
  /**
   * A call that a key of an organisation pays for: `signal` is aborted with CREDENTIAL_INVALID when the key is revoked or the
   * organisation deleted. Throws that if it is.
   */
  begin(caller: Pick<Caller, 'apiKeyId' | 'organizationId'>): { signal: AbortSignal } & Disposable;
};

export type Dependencies = {
  credentials: Pick<Client<CredentialServiceDefinition>, 'listRevocations'>;
  events: Pick<Events, 'subscribe'>;
  log: Logger;
  now?: () => number;
  readIntervalMs?: number;
};

/**
 * Knows the keys and organisations that ended lately, also before this process started, and ends their calls. NATS tells of
 * one at once; auth, which has them all, is asked every 2 s besides, so nothing depends on NATS but the speed. What is
 * remembered has no limit of its own, since room for a new one would be made by letting an old token in again: it is bounded
 * by how many keys organisations may have and make, at some 100 bytes each.
 */
export function watchRevocations(dependencies: Dependencies): Revocations & AsyncDisposable {
  const {
    credentials,
    events,
    log,
    now = performance.now.bind(performance),
    readIntervalMs = READ_INTERVAL_MS,
  } = dependencies;
  const ended = createEndedIds(now);
  const live = new Map<string, Set<AbortController>>();
  let readAt: number | undefined;

  const end = (id: string) => {
    ended.add(id);
    for (const call of live.get(id) ?? []) call.abort(noLonger(id));
  };
  const read = async (signal: AbortSignal) => {
    const began = now();
    const missed = readAt === undefined ? REMEMBERED_MS : began - readAt + OVERLAP_MS;
    const request = { withinMs: Math.ceil(Math.min(REMEMBERED_MS, missed)) };
    for await (const { ids } of credentials.listRevocations(request, { signal, deadlineMs: READ_DEADLINE_MS }))
      for (const id of ids) end(id);
    readAt = began;
  };

  const parts = new AsyncDisposableStack();
  parts.use(events.subscribe(API_KEY_REVOKED, ({ apiKeyId }) => end(apiKeyId)));
  parts.use(events.subscribe(ORGANIZATION_DELETED, ({ organizationId }) => end(organizationId)));
  parts.use(
    every(readIntervalMs, log, (signal) =>
      read(signal).catch((error) => {
        if (!signal.aborted) log.warn({ err: error }, 'revocations not read');
      }),
    ),
  );

  return {
    known: () => readAt !== undefined,
    begin({ apiKeyId, organizationId }) {
      // Deleting an organisation revokes its keys too, and is the better answer.
      const ids = [organizationId, apiKeyId];
      const gone = ids.find((id) => ended.has(id));
      if (gone) throw noLonger(gone);
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
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** Ids that are kept for 20 minutes each. */
function createEndedIds(now: () => number) {
  // In the order in which they came, so the first to be forgotten are at the front.
  const forgetAt = new Map<string, number>();
  return {
    has: (id: string) => (forgetAt.get(id) ?? 0) > now(),
    add(id: string) {
      for (const [first, time] of forgetAt) {
        if (time > now()) break;
        forgetAt.delete(first);
      }
      if (!forgetAt.has(id)) forgetAt.set(id, now() + REMEMBERED_MS);
    },
  };
}

const noLonger = (id: string) =>
  new DrydockError(
    'CREDENTIAL_INVALID',
    id.startsWith('org_') ? 'the organisation was deleted' : 'the API key was revoked',
  );
