import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Metadata } from 'nice-grpc-common';
import pino from 'pino';
import { afterAll, beforeAll } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { watchExecutors } from '#libs/executor-directory.ts';
import type { Call } from '#libs/grpc/rpc.ts';
import { newId } from '#libs/ids.ts';
import { every } from '#libs/lifecycle.ts';
import { connectEvents, type Events } from '#libs/nats/events.ts';
import { executorAnnounced, type StoredEvent } from '#libs/nats/subjects.ts';
import { type Database, migrate, openDatabase } from '#libs/postgres/database.ts';
import type { AppliedQuota } from '#proto/drydock/internal/v1/caller.ts';
import { ExecutorAnnounced, SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import { Execution, RunCodeRequest, SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import { CreateSandboxRequest, type ListSandboxesRequest } from '#proto/drydock/v1/sandbox.ts';
import { type Nats, startNats } from '../../test/support/nats.ts';
import { type Postgres, startPostgres } from '../../test/support/postgres.ts';
import { createBlobs } from './blobs/client-api.ts';
import { expireBlobs } from './blobs/expiry.ts';
import { createPostgresStorage } from './blobs/postgresql.ts';
import { createStorages } from './blobs/storage.ts';
import { createExecutions } from './executions/client-api.ts';
import { createTestSets, type TestSets } from './executions/test-sets.ts';
import { type QueueDepth, watchQueueDepth } from './queue/depth.ts';
import { consumeOrganizationChanged } from './queue/shares.ts';
import { createSubmissions, type Submissions } from './queue/submissions.ts';
import { createSubmitting } from './queue/submit.ts';
import { createRecords } from './records.ts';
import { createWakeups, type Wakeups } from './requests/wakeups.ts';
import { createSandboxes } from './sandboxes/client-api.ts';
import { consumeEnded } from './sandboxes/ended.ts';
import { consumeTakeovers } from './sandboxes/taken-over.ts';
import { createTestSetApi } from './test-sets/client-api.ts';
import { consumeOrganizationDeleted, endOrganizations } from './upkeep/organizations.ts';
import { sweep } from './upkeep/sweep.ts';
import { createWebhooks } from './webhooks/client-api.ts';
import { openEventPrinter } from './webhooks/events.ts';
import { createWebhookLeases } from './webhooks/leases.ts';

const log = pino({ level: 'silent' });
const migrations = join(import.meta.dirname, '../../migrations/session');
const catalog = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));
const wakeRelay = () => {};
const print = openEventPrinter(readFileSync(join(import.meta.dirname, '../../.build/descriptors.binpb')));
const HOUR_MS = 3_600_000;

/** A call of an organisation that nobody else has. */
export function someone(concurrentSandboxes = 100, queue: Partial<AppliedQuota> = {}): Call {
  const usual = {
    concurrentExecutions: 16,
    queuedExecutions: 1_000,
    queueWeight: 100,
    sharedPool: true,
    blobBytes: 1024 ** 3,
  };
  const quota = { concurrentSandboxes, ...usual, ...queue };
  const caller = { organizationId: newId('org'), apiKeyId: newId('key'), scopes: [], quota };
  return { caller, signal: new AbortController().signal, peer: '', metadata: new Metadata() };
}

/** Session's parts on a PostgreSQL and a NATS of the test file's own, and what tests do with them most. */
export function useRecords() {
  let postgres: Postgres;
  let nats: Nats;
  let db: Database & AsyncDisposable;
  let events: Events & AsyncDisposable;
  let wakeups: Wakeups & Disposable;
  let depth: QueueDepth & AsyncDisposable;
  let submissions: Submissions;
  let testSets: TestSets;
  let timesDue = 0;
  const webhooksDue = () => {
    timesDue += 1;
  };

  beforeAll(async () => {
    [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
    const url = await postgres.createDatabase();
    await Promise.all([migrate(url, 'session', migrations, log), migrate(url, 'session', migrations, log)]);
    db = openDatabase(url, 'session', log);
    events = connectEvents({ url: nats.url, name: 'session', log });
    wakeups = createWakeups(events);
    depth = watchQueueDepth(db, { maxQueued: 10_000, maxAgeMs: HOUR_MS }, log);
    testSets = createTestSets(db);
    submissions = createSubmissions({ db, wakeRelay });
  });
  afterAll(async () => {
    await depth[Symbol.asyncDispose]();
    wakeups[Symbol.dispose]();
    await events[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
    await Promise.all([postgres[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
  });

  const parts = () => ({ db, catalog, blobs: blobParts(), testSets, wakeups });
  const records = () => createRecords({ ...parts(), wakeRelay, webhooksDue });
  const blobParts = () => ({ db, storages: createStorages(createPostgresStorage(db)), log });
  const reads = () => ({
    sandboxes: createSandboxes(db),
    executions: {
      ...createExecutions({ db, wakeups, wakeRelay, webhooksDue }),
      ...createSubmitting({ ...parts(), submissions, depth }),
    },
  });
  return {
    records,
    reads,
    testSets: () => createTestSetApi(parts()),
    blobs: () => createBlobs(blobParts()),
    expireBlobsOnce: () => expireBlobs(blobParts()),
    webhooks: () => createWebhooks({ db, webhooksDue }),
    leases: () => createWebhookLeases({ db, print }),
    /** How often senders to webhooks were woken. */
    timesDue: () => timesDue,
    query: (sql: string, values?: unknown[]) => db.query(sql, values),
    sweepOnce: () => sweep({ db, wakeups, wakeRelay, webhooksDue }, 24 * HOUR_MS),
    endOrganizationsOnce: () => endOrganizations({ db, wakeups, wakeRelay, webhooksDue }, new AbortController().signal),
    /** What session hears of by JetStream, until disposed. */
    consume(): AsyncDisposable {
      const dependencies = { db, wakeups, wakeRelay, webhooksDue, events };
      const parts = new AsyncDisposableStack();
      parts.use(consumeEnded(dependencies));
      const executors = parts.use(watchExecutors(events));
      parts.use(consumeTakeovers({ ...dependencies, executors }));
      parts.use(consumeOrganizationDeleted(db, events, wakeRelay));
      parts.use(consumeOrganizationChanged(db, events, wakeRelay));
      return parts;
    },
    /** Is heard as an executor, until disposed. */
    executor(executorId: string, memberSince: Date | undefined): AsyncDisposable {
      const announced = ExecutorAnnounced.create({ executorId, address: '127.0.0.1:1', cluster: 'one', memberSince });
      return every(500, log, async () => events.publish(executorAnnounced(executorId), announced));
    },
    async publish<T>(event: StoredEvent<T>, message: T) {
      while (!events.connected()) await new Promise(setImmediate);
      await events.publishDurable(event, message, newId('evt'));
    },

    insertSandbox: (call: Call, request: Partial<CreateSandboxRequest> = {}) =>
      records().insertSandbox({ request: CreateSandboxRequest.create({ template: 'python', ...request }) }, call),
    /** Puts a program into the queue. */
    async submit(call: Call, fields: Partial<SubmitExecutionRequest> = {}): Promise<Execution> {
      const request = SubmitExecutionRequest.create({ language: 'python', source: 'print(1)', ...fields });
      return (await reads().executions.submitExecution(request, call)).execution!;
    },
    take: (call: Call) => records().takeExecution({}, call),
    insertExecution(call: Call, fields: Partial<RunCodeRequest> = {}) {
      const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', ...fields });
      return records().insertExecution({ request }, call);
    },
    run: (call: Call, sandboxId: string, executorId = 'e1') =>
      records().markSandboxRunning({ sandboxId, executorId }, call),
    stop: (call: Call, sandboxId: string) => records().markSandboxStopped({ sandboxId, reason: 'DELETED' }, call),
    complete(call: Call, id: string, fields: Partial<Execution> = {}, stdout = 'out', attempt = 1) {
      const execution = Execution.create({ id, state: 'FINISHED', verdict: 'ACCEPTED', exitCode: 0, ...fields });
      return records().completeExecution(
        {
          execution,
          stdout: Buffer.from(stdout),
          stderr: Buffer.alloc(0),
          transcript: Buffer.alloc(0),
          attempt,
          insertIfMissing: false,
        },
        call,
      );
    },
    listSandboxes: (call: Call, fields: Partial<ListSandboxesRequest> = {}) =>
      reads().sandboxes.listSandboxes({ pageSize: 0, pageToken: '', states: [], metadataFilters: [], ...fields }, call),

    /** Another replica's records, and when a call of them waits for what another call began. */
    anotherReplica() {
      const waits = Promise.withResolvers<void>();
      const until: Wakeups['until'] = (...call) => {
        waits.resolve();
        return wakeups.until(...call);
      };
      return {
        waits: waits.promise,
        replica: createRecords({ ...parts(), wakeups: { ...wakeups, until }, wakeRelay, webhooksDue }),
      };
    },
    /** Another replica with a connection of its own, so that only NATS can tell it that something is over. */
    async remoteReplica() {
      const remoteEvents = connectEvents({ url: nats.url, name: 'remote', log });
      const remoteWakeups = createWakeups(remoteEvents);
      while (!(events.connected() && remoteEvents.connected())) await new Promise(setImmediate);
      return {
        replica: createRecords({ ...parts(), wakeups: remoteWakeups, wakeRelay, webhooksDue }),
        async [Symbol.asyncDispose]() {
          remoteWakeups[Symbol.dispose]();
          await remoteEvents[Symbol.asyncDispose]();
        },
      };
    },
    /** Moves a time of a row into the past. */
    age: (table: 'sandboxes' | 'executions' | 'webhook_deliveries', id: string, column: string, interval: string) =>
      db.query(`update ${table} set ${column} = ${column} - $2::interval where id = $1`, [id, interval]),
    /** What the outbox says of a sandbox. */
    async told(sandboxId: string): Promise<SandboxChanged[]> {
      const rows = await db.query<{ payload: Buffer }>('select payload from outbox order by position');
      return rows.map(({ payload }) => SandboxChanged.decode(payload)).filter((event) => event.sandboxId === sandboxId);
    },
  };
}
