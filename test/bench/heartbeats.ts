import pino from 'pino';
import { every } from '#libs/lifecycle.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { executorAnnounced } from '#libs/nats/subjects.ts';
import { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';

/** Announcements a second of each executor, in as many parts, so that they do not come all at once. */
const PARTS = 20;

/** What an executor of `capacity` sandboxes announces that has its share of a pool. */
export function announcement(index: number): ExecutorAnnounced {
  return ExecutorAnnounced.create({
    executorId: `exe_${index}`,
    address: `10.0.${index >> 8}.${index & 255}:7004`,
    sandboxes: index % 90,
    capacity: 100,
    freeMemoryBytes: 64 * 1024 ** 3,
    executions: index % 8,
    executionSlots: 8,
    warm: { python: index % 3, polyglot: index % 2, extended: 0 },
  });
}

/** node heartbeats.ts NATS-URL EXECUTORS: announces them, once a second each, until it is ended. */
if (import.meta.main) {
  const [url, count] = process.argv.slice(2);
  const log = pino({ level: 'warn' });
  const events = connectEvents({ url: url!, name: 'executors', log });
  const announced = Array.from({ length: Number(count) }, (_, index) => announcement(index));
  let part = 0;
  every(1_000 / PARTS, log, async () => {
    for (let i = part; i < announced.length; i += PARTS)
      events.publish(executorAnnounced(announced[i]!.executorId), announced[i]!);
    part = (part + 1) % PARTS;
  });
}
