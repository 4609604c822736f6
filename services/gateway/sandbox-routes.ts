import { LRUCache } from 'lru-cache';
import { hasReason } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { Events } from '#libs/nats/events.ts';
import { SANDBOX_CHANGED } from '#libs/nats/subjects.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';

const MAX_ROUTES = 100_000;
const SESSION_DEADLINE_MS = 5_000;

export type SandboxRoutes = {
  /** Id of the executor that holds a sandbox of the caller's organisation. Errors: as `RecordService.GetRoute`. */
  find(caller: Caller, sandboxId: string): Promise<string>;
  /** A sandbox is not there: session is asked again. */
  drop(caller: Caller, sandboxId: string): void;
  /** A sandbox may be elsewhere now: session is asked again, and while it is away the route still leads there. */
  doubt(caller: Caller, sandboxId: string): void;
};

/**
 * Where sandboxes are. A route is kept until the sandbox stops or another executor has taken it over, and goes on working
 * while session is away.
 */
export function watchSandboxRoutes(
  session: Pick<Client<RecordServiceDefinition>, 'getRoute'>,
  events: Pick<Events, 'subscribe'>,
): SandboxRoutes & Disposable {
  const routes = new LRUCache<string, { executorId: string; doubted: boolean }>({ max: MAX_ROUTES });
  const changed = events.subscribe(SANDBOX_CHANGED, ({ organizationId, sandboxId, executorId, state }) => {
    const key = keyOf(organizationId, sandboxId);
    if (state !== 'RUNNING') routes.delete(key);
    else if (routes.has(key)) routes.set(key, { executorId, doubted: false });
  });
  return {
    async find(caller, sandboxId) {
      const key = keyOf(caller.organizationId, sandboxId);
      const known = routes.get(key);
      if (known && !known.doubted) return known.executorId;
      try {
        const { executorId } = await session.getRoute({ sandboxId }, { caller, deadlineMs: SESSION_DEADLINE_MS });
        routes.set(key, { executorId, doubted: false });
        return executorId;
      } catch (error) {
        if (known && hasReason(error, 'SERVICE_UNAVAILABLE')) return known.executorId;
        throw error;
      }
    },
    drop: ({ organizationId }, sandboxId) => void routes.delete(keyOf(organizationId, sandboxId)),
    doubt({ organizationId }, sandboxId) {
      const known = routes.get(keyOf(organizationId, sandboxId));
      if (known) known.doubted = true;
    },
    [Symbol.dispose]: () => changed[Symbol.dispose](),
  };
}

function keyOf(organizationId: string, sandboxId: string): string {
  return `${organizationId} ${sandboxId}`;
}
