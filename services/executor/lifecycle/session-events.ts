import { hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { SANDBOX_CHANGED } from '#libs/nats/subjects.ts';
import type { SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';

/**
 * Confirms sandboxes that session has recorded as running, and destroys those recorded as stopped, also if that was recorded while
 * this executor was away.
 */
export function followSession(events: Events, sandboxes: Sandboxes, missedSince: Date, log: Logger): Disposable {
  const handle = async ({ sandboxId, organizationId, state }: SandboxChanged) => {
    try {
      const sandbox = sandboxes.get(sandboxId, organizationId);
      if (state === 'RUNNING' && !sandbox.confirmed) await sandboxes.confirm(sandbox);
    } catch (error) {
      // Not on this executor, or taken over by another one.
      if (hasReason(error, 'SANDBOX_NOT_FOUND', 'SERVICE_UNAVAILABLE')) return;
      throw error;
    }
    if (state !== 'STOPPED') return;
    log.info({ sandboxId }, 'destroying a stopped sandbox');
    await sandboxes.destroy(sandboxId);
  };
  return events.follow(SANDBOX_CHANGED, { since: missedSince, handle });
}
