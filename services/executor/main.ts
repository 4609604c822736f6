import { join } from 'node:path';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { createClient } from '#libs/grpc/client.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { aborted, ifAborted, run } from '#libs/lifecycle.ts';
import { lockDirectory } from '#libs/lock-directory.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { startTelemetry } from '#libs/telemetry.ts';
import { BlobContentServiceDefinition } from '#proto/drydock/internal/v1/blob.ts';
import { ExecutorServiceDefinition } from '#proto/drydock/internal/v1/executor.ts';
import { FileServiceDefinition } from '#proto/drydock/v1/file.ts';
import { ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';
import { createExecutor } from './api/executor.ts';
import { createFiles } from './api/files.ts';
import { createProcesses } from './api/processes.ts';
import { openBackend } from './backends/open.ts';
import { loadConfig } from './config.ts';
import { openArtifacts } from './executions/artifacts.ts';
import { openBlobs } from './executions/blobs/blobs.ts';
import { createCellHosts } from './executions/cell-hosts.ts';
import { createShares } from './executions/shares.ts';
import { createSlots } from './executions/slots.ts';
import { createCapacity } from './instances/capacity.ts';
import { warnOfFewProcesses } from './instances/host-processes.ts';
import { createInstances } from './instances/instances.ts';
import { createPool, mostWarm } from './instances/pool.ts';
import { drainOnSignal, untilEmpty } from './lifecycle/drain.ts';
import { createHeartbeat } from './lifecycle/heartbeat.ts';
import { createInventory } from './lifecycle/inventory.ts';
import { followLife } from './lifecycle/last-alive.ts';
import { followDeletions } from './lifecycle/organizations.ts';
import { createReporter } from './lifecycle/reporter.ts';
import { followSession } from './lifecycle/session-events.ts';
import { openTls } from './lifecycle/tls.ts';
import { openClaims } from './sandboxes/claims.ts';
import { createQuarantine, largestShare } from './sandboxes/quarantine.ts';
import { createSandboxes } from './sandboxes/sandboxes.ts';

const log = createLogger('executor');

// Each part starts after all that it needs; they stop in reverse order: calls drain first, NATS closes late.
await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const { id: executorId, dataDirectory, maxSandboxes, memoryBytes, processes, streams, leaseIdleMs: idleMs } = config;
  const catalog = readCatalog(config.catalogFile);
  warnOfFewProcesses(config, catalog, log);
  await using _lock = await lockDirectory(dataDirectory, 'another executor');
  using drain = drainOnSignal(log);
  const leaving = AbortSignal.any([shutdown, drain.begun]);
  await using own = await openTls(config, leaving, log).catch(ifAborted(leaving));
  if (leaving.aborted) return;
  const opening = openBackend(config, maxSandboxes + mostWarm(catalog), leaving, log);
  await using backend = await opening.catch(ifAborted(leaving));
  if (!backend) return;
  const name = `executor-${executorId}`;
  await using events = connectEvents({ url: config.natsUrl, name, service: 'executor', tls: own?.tls, log });

  using session = createClient(BlobContentServiceDefinition, config.sessionAddress, { name: 'session', tls: own?.tls });
  const blobs = await openBlobs(join(dataDirectory, 'blobs'), config.blobCacheBytes, session, log);

  const capacity = createCapacity({ maxSandboxes, memoryBytes, processes });
  const instances = createInstances({ backend, dataDirectory, streams, log });
  const claims = await openClaims(dataDirectory, backend);
  const pool = createPool({ catalog, instances, capacity, log });
  const sandboxes = createSandboxes({ backend, instances, pool, claims, capacity, catalog, log });
  const cellHosts = createCellHosts({ instances, pool, capacity, catalog, idleMs, log });
  using _eviction = capacity.reclaimFrom(cellHosts.evict);
  const slots = createSlots(config.executionSlots);
  const shares = createShares();
  const artifacts = await openArtifacts(join(dataDirectory, 'cache'), config.artifactCacheBytes, log);
  const quarantine = createQuarantine({ capacity, largest: largestShare(catalog), log });
  const reporter = createReporter(events, executorId, log);
  const held = { backend, instances, sandboxes, cellHosts, pool };
  const inventory = createInventory({ ...held, claims, quarantine, catalog, reporter, log });

  await using _reports = reporter.start();
  await using _cellHosts = cellHosts.start();
  await using _sandboxes = sandboxes.start();
  await inventory.adopt();
  await using _pool = pool.start(drain.begun);
  await using _inventory = inventory.start();
  await using life = await followLife(dataDirectory, sandboxes.list().length > 0, log);
  using _session = followSession(events, sandboxes, life.missedSince, log);
  await using _deletions = followDeletions({ ...held, artifacts, blobs, events, log }, life.missedSince);
  const identity = { executorId, cluster: backend.cluster, address: config.advertisedAddress, maxSandboxes };
  const parts = { sandboxes, quarantine, cellHosts, capacity, slots, pool };
  await using heartbeat = createHeartbeat({ ...identity, ...parts, events, leaving, log });
  const judging = { slots, shares, artifacts, blobs };
  const executor = createExecutor({ sandboxes, cellHosts, instances, ...judging, backend, drain, log });
  await using server = await startServer({
    address: config.address,
    services: [
      service(ExecutorServiceDefinition, executor, { allow: ['scheduler'] }),
      service(ProcessServiceDefinition, createProcesses(sandboxes), { allow: ['gateway'] }),
      service(FileServiceDefinition, createFiles(sandboxes), { allow: ['gateway'] }),
    ],
    log,
    tls: own?.tls,
  });
  await using _telemetry = await startTelemetry({
    service: 'executor',
    metricsAddress: config.metricsAddress,
    log,
    ready: () => backend.ping(),
  });

  heartbeat.start();
  log.info({ port: server.port, executorId }, 'listening');
  await aborted(leaving);
  if (drain.begun.aborted) await untilEmpty({ sandboxes, slots, reporter, limitMs: config.drainMs, log }, shutdown);
});
