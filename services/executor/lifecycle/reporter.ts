import { newId } from '#libs/ids.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { sandboxEnded, sandboxesInherited } from '#libs/nats/subjects.ts';
import type { SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import type { EndedReason, Takeover } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';

const INTERVAL_MS = 1_000;
const MAX_UNREPORTED = 10_000;

/** Publishes to session what happened to sandboxes without a call. */
export type Reporter = {
  /** Publishes reports. Disposing waits for the one in progress. */
  start(): AsyncDisposable;
  /** Reports a sandbox that ended by itself. Keeps the latest 10,000 reports while NATS is away. */
  report(sandbox: Pick<Claim, 'sandboxId' | 'organizationId'>, reason: EndedReason): void;
  /** Reports a takeover, with every sandbox that this executor has. Throws while NATS is away. */
  reportTakeover(takeover: Takeover, sandboxIds: string[]): Promise<void>;
};

export function createReporter(events: Events, executorId: string, log: Logger): Reporter {
  const waiting: { id: string; event: SandboxEnded }[] = [];
  let publishSoon = () => {};
  const publish = async (): Promise<void> => {
    for (let next = waiting[0]; next && events.connected(); next = waiting[0]) {
      await events.publishDurable(sandboxEnded(executorId), next.event, next.id);
      waiting.shift();
    }
  };
  return {
    start() {
      const periodic = every(INTERVAL_MS, log, publish);
      publishSoon = periodic.trigger;
      return periodic;
    },
    report({ sandboxId, organizationId }, reason) {
      if (waiting.length >= MAX_UNREPORTED) waiting.shift();
      waiting.push({ id: newId('evt'), event: { sandboxId, organizationId, executorId, reason } });
      publishSoon();
    },
    async reportTakeover({ executorId: lost, lostTime }, sandboxIds) {
      const event = { executorId: lost, heirExecutorId: executorId, sandboxIds, lostTime };
      await events.publishDurable(sandboxesInherited(executorId), event, newId('evt'));
    },
  };
}
