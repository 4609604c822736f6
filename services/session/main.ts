import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { watchExecutors } from '#libs/executor-directory.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { aborted, every, run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { EXECUTION_QUEUE, WEBHOOKS_DUE } from '#libs/nats/subjects.ts';
import { openWorkQueue } from '#libs/nats/work-queue.ts';
import { checkMigrated, migrate, openDatabase } from '#libs/postgres/database.ts';
import { relayOutbox } from '#libs/postgres/outbox.ts';
import { untilReady } from '#libs/postgres/until-ready.ts';
import { startTelemetry } from '#libs/telemetry.ts';
import { BlobContentServiceDefinition } from '#proto/drydock/internal/v1/blob.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { WebhookDeliveryServiceDefinition } from '#proto/drydock/internal/v1/webhook.ts';
import { BlobServiceDefinition } from '#proto/drydock/v1/blob.ts';
import { ExecutionServiceDefinition } from '#proto/drydock/v1/execution.ts';
import { SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import { TestSetServiceDefinition } from '#proto/drydock/v1/test_set.ts';
import { WebhookServiceDefinition } from '#proto/drydock/v1/webhook.ts';
import { createBlobContents, createBlobs } from './blobs/client-api.ts';
import { expireBlobs } from './blobs/expiry.ts';
import { createPostgresStorage } from './blobs/postgresql.ts';
import { createStorages } from './blobs/storage.ts';
import { loadConfig } from './config.ts';
import { createExecutions } from './executions/client-api.ts';
import { createTestSets } from './executions/test-sets.ts';
import { watchQueueDepth } from './queue/depth.ts';
import { consumeOrganizationChanged } from './queue/shares.ts';
import { createSubmissions } from './queue/submissions.ts';
import { createSubmitting } from './queue/submit.ts';
import { replaceLostTickets } from './queue/tickets.ts';
import { createRecords } from './records.ts';
import { createWakeups } from './requests/wakeups.ts';
import { createSandboxes } from './sandboxes/client-api.ts';
import { consumeEnded } from './sandboxes/ended.ts';
import { consumeTakeovers } from './sandboxes/taken-over.ts';
import { createTemplates } from './templates.ts';
import { createTestSetApi } from './test-sets/client-api.ts';
import { consumeOrganizationDeleted, endOrganizations } from './upkeep/organizations.ts';
import { sweep } from './upkeep/sweep.ts';
import { createWebhooks } from './webhooks/client-api.ts';
import { openEventPrinter } from './webhooks/events.ts';
import { createWebhookLeases } from './webhooks/leases.ts';

const MIGRATIONS = join(import.meta.dirname, '../../migrations/session');
const SWEEP_INTERVAL_MS = 1_000;
const ENDINGS_INTERVAL_MS = 1_000;
const BLOBS_INTERVAL_MS = 60_000;
const TICKETS_INTERVAL_MS = 5_000;

const log = createLogger('session');

await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const tls = readTls(config.tlsDirectory, 'session');
  const catalog = readCatalog(config.catalogFile);
  const print = openEventPrinter(await readFile(config.descriptorsFile));

  // Released in reverse order: calls drain first, what they need goes last.
  await using db = openDatabase(config.databaseUrl, 'session', log);
  await using events = connectEvents({ url: config.natsUrl, name: 'session', service: 'session', tls, log });
  await untilReady(log, shutdown, () =>
    config.migrations === 'run'
      ? migrate(config.databaseUrl, 'session', MIGRATIONS, log)
      : checkMigrated(config.databaseUrl, 'session', MIGRATIONS),
  );
  await using relay = relayOutbox(db, events, log);
  using wakeups = createWakeups(events);
  const webhooksDue = () => events.publish(WEBHOOKS_DUE, undefined);
  const blobs = { db, storages: createStorages(createPostgresStorage(db)), log };
  const testSets = createTestSets(db);
  const dependencies = { db, catalog, blobs, testSets, wakeups, wakeRelay: relay.trigger, webhooksDue };
  await using _ended = consumeEnded({ ...dependencies, events });
  using executors = watchExecutors(events);
  await using _takeovers = consumeTakeovers({ ...dependencies, events, executors });
  await using endings = every(ENDINGS_INTERVAL_MS, log, (signal) => endOrganizations(dependencies, signal));
  await using _deleted = consumeOrganizationDeleted(db, events, endings.trigger);
  await using _shares = consumeOrganizationChanged(db, events, relay.trigger);
  await using _sweep = every(SWEEP_INTERVAL_MS, log, () => sweep(dependencies, config.retentionMs));
  await using _expiry = every(BLOBS_INTERVAL_MS, log, () => expireBlobs(blobs));
  const queue = openWorkQueue(events, EXECUTION_QUEUE);
  await using _tickets = every(TICKETS_INTERVAL_MS, log, async () => {
    if (events.connected()) await replaceLostTickets(db, queue, relay.trigger);
  });
  await using depth = watchQueueDepth(db, config.queue, log);
  const submissions = createSubmissions(dependencies);
  const executions = {
    ...createExecutions(dependencies),
    ...createSubmitting({ ...dependencies, submissions, depth }),
  };

  const fromGateway = { allow: ['gateway'] as const };
  await using server = await startServer({
    address: config.address,
    services: [
      service(RecordServiceDefinition, createRecords(dependencies), { allow: ['scheduler', 'gateway'] }),
      service(SandboxServiceDefinition, createSandboxes(db), fromGateway),
      service(ExecutionServiceDefinition, executions, fromGateway),
      service(BlobServiceDefinition, createBlobs(blobs), fromGateway),
      service(BlobContentServiceDefinition, createBlobContents(blobs), { allow: ['executor'] }),
      service(TemplateServiceDefinition, createTemplates(catalog), fromGateway),
      service(TestSetServiceDefinition, createTestSetApi(dependencies), fromGateway),
      service(WebhookServiceDefinition, createWebhooks(dependencies), fromGateway),
      service(WebhookDeliveryServiceDefinition, createWebhookLeases({ db, print }), fromGateway),
    ],
    log,
    tls,
  });
  await using _telemetry = await startTelemetry({
    service: 'session',
    metricsAddress: config.metricsAddress,
    log,
    ready: async () => void (await db.query('select 1')),
  });

  log.info({ port: server.port }, 'listening');
  await aborted(shutdown);
});
