import { watchExecutors } from '#libs/executor-directory.ts';
import { createClient } from '#libs/grpc/client.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { aborted, run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { EXECUTION_QUEUE } from '#libs/nats/subjects.ts';
import { openWorkQueue } from '#libs/nats/work-queue.ts';
import { startTelemetry } from '#libs/telemetry.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { ExecutionServiceDefinition } from '#proto/drydock/v1/execution.ts';
import { SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { watchCancellations } from './cancellations.ts';
import { loadConfig } from './config.ts';
import { connectExecutors } from './executors.ts';
import { startQueue } from './queue.ts';
import { createScheduler } from './scheduler.ts';

const log = createLogger('scheduler');

await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const tls = readTls(config.tlsDirectory, 'scheduler');

  // Released in reverse order: calls drain first, what they need goes last.
  await using events = connectEvents({ url: config.natsUrl, name: 'scheduler', service: 'scheduler', tls, log });
  using session = createClient(RecordServiceDefinition, config.sessionAddress, { name: 'session', tls });
  using executors = connectExecutors(tls);
  using cancellations = watchCancellations(events);
  using directory = watchExecutors(events);
  const dependencies = { session, executors, cancellations, directory, log };
  const scheduler = createScheduler(dependencies);
  using _lost = directory.onLost(scheduler.executorLost);
  await using queue = startQueue({ ...dependencies, events, work: openWorkQueue(events, EXECUTION_QUEUE) });
  using _slots = directory.onAnnounced(queue.offer);
  const allow = { allow: ['gateway'] as const };
  await using server = await startServer({
    address: config.address,
    services: [
      service(SandboxServiceDefinition, scheduler.sandboxes, allow),
      service(ExecutionServiceDefinition, scheduler.executions, allow),
    ],
    log,
    tls,
  });
  await using _telemetry = await startTelemetry({
    service: 'scheduler',
    metricsAddress: config.metricsAddress,
    log,
    async ready() {
      if (directory.list().length === 0) throw new Error('no executor has announced itself');
    },
  });

  log.info({ port: server.port }, 'listening');
  await aborted(shutdown);
});
