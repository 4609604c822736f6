import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents, type Events } from '#libs/nats/events.ts';
import { EXECUTION_QUEUE, workEvent } from '#libs/nats/subjects.ts';
import { openWorkQueue, type Work, type WorkQueue } from '#libs/nats/work-queue.ts';
import type { ExecutionQueued } from '#proto/drydock/internal/v1/events.ts';
import { type Nats, startNats } from '../../test/support/nats.ts';
import type { Attempts } from './attempts.ts';
import { createFairQueue } from './fair-queue.ts';
import { startTenantQueues } from './tenant-queues.ts';

const log = createLogger('test');
const WITHIN = { timeout: 20_000 };

let nats: Nats;
let events: Events & AsyncDisposable;
let work: WorkQueue<ExecutionQueued>;

beforeAll(async () => {
  nats = await startNats();
  events = connectEvents({ url: nats.url, name: 'test', log });
  await new Promise<void>((resolve) => void events.onConnect(resolve));
  work = openWorkQueue(events, EXECUTION_QUEUE);
  await work.depths();
});
afterAll(async () => {
  await events[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

/** Serves queues, and uses no ticket up. */
function serve() {
  const tickets: Work<ExecutionQueued>[] = [];
  const attempts = { holdTicket: () => ({ [Symbol.dispose]() {} }) } as Partial<Attempts> as Attempts;
  const run = async (_: string, ticket: Work<ExecutionQueued>) => void tickets.push(ticket);
  return {
    tickets,
    queues: startTenantQueues({ events, work, fairQueue: createFairQueue(() => true), attempts, run, log }),
  };
}
const queue = (organizationId: string, concurrentExecutions: number, setTime?: Date) =>
  events.publishDurable(
    workEvent(EXECUTION_QUEUE, organizationId),
    { concurrentExecutions, queueWeight: 100, setTime },
    newId('evt'),
  );

test('a quota that an operator changes counts for tickets that were given out before', async () => {
  const organizationId = newId('org');
  const { tickets, queues } = serve();
  await using _queues = queues;
  for (let n = 0; n < 4; n++) await queue(organizationId, 1);
  await expect.poll(() => tickets.length).toBe(1);
  await queue(organizationId, 3, new Date());
  await expect.poll(() => tickets.length, WITHIN).toBe(3);
  // Two of the three were given out with the old one.
  expect(tickets.map(({ message }) => message.concurrentExecutions)).toEqual([1, 1, 1]);
  for (const ticket of tickets) ticket.ack();
  await expect.poll(() => tickets.length, WITHIN).toBe(5);
  for (const ticket of tickets.slice(3)) ticket.ack();
});

test('of two changes the later one counts, whichever ticket comes last', async () => {
  const organizationId = newId('org');
  const { tickets, queues } = serve();
  await using _queues = queues;
  await queue(organizationId, 2, new Date(2_000));
  await queue(organizationId, 1, new Date(1_000));
  await queue(organizationId, 1, new Date(1_000));
  await expect.poll(() => tickets.length, WITHIN).toBe(2);
  for (const ticket of tickets) ticket.ack();
  await expect.poll(() => tickets.length, WITHIN).toBe(3);
  tickets[2]!.ack();
});
