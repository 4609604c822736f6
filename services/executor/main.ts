import { readCatalog } from '#libs/catalog/catalog.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { aborted, every, run } from '#libs/lifecycle.ts';
import { lockDirectory } from '#libs/lock-directory.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { gauge, startTelemetry } from '#libs/telemetry.ts';
import { ExecutorServiceDefinition } from '#proto/drydock/internal/v1/executor.ts';
import { FileServiceDefinition } from '#proto/drydock/v1/file.ts';
import { ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';
import { createExecutor } from './api/executor.ts';
import { createFiles } from './api/files.ts';
import { createProcesses } from './api/processes.ts';
import { openBackend } from './backends/open.ts';
import { loadConfig } from './config.ts';
import { createLeases } from './executions/cell-hosts.ts';
import { createSlots } from './executions/slots.ts';
import { createRoom } from './instances/capacity.ts';
import { createInstances } from './instances/instances.ts';
import { createPool } from './instances/pool.ts';
import { createAnnouncer, createReporter, followSession } from './lifecycle/announcements.ts';
import { drainOnSignal, untilEmpty } from './lifecycle/drain.ts';
import { followLife } from './lifecycle/last-alive.ts';
import { followDeletions } from './lifecycle/organizations.ts';
import {
  adoptInstances,
  enforceDeadlines,
  instanceEnded,
  instanceTakenOver,
  reconcile,
} from './lifecycle/reconcile.ts';
import { openClaims } from './sandboxes/claims.ts';
import { createQuarantine } from './sandboxes/quarantine.ts';
import { createSandboxes } from './sandboxes/sandboxes.ts';

const RECONCILE_INTERVAL_MS = 30_000;
const DEADLINE_INTERVAL_MS = 1_000;
const CLAIMS_INTERVAL_MS = 5_000;

const log = createLogger('executor');

await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const { dataDirectory, maxSandboxes, memoryBytes, executionSlots, streams } = config;
  const tls = readTls(config.tlsDirectory, 'executor');
  const catalog = readCatalog(config.catalogFile);
  await using _hold = await lockDirectory(dataDirectory, 'another executor');

  await using backend = await openBackend(config, log);
  const instances = createInstances({ backend, dataDirectory, catalog, streams, log });
  const claims = await openClaims(dataDirectory, backend);
  const quarantine = createQuarantine(log);
  const room = createRoom({ maxSandboxes, memoryBytes, giveWay: () => leases.giveWay() });
  const sandboxes = createSandboxes({ backend, instances, pool: () => pool, claims, room, catalog, log });
  const slots = createSlots(executionSlots);
  using drain = drainOnSignal(log);
  const leaving = AbortSignal.any([shutdown, drain.begun]);

  // Released in reverse order: calls drain first, then the pool, NATS last.
  await using events = connectEvents({ url: config.natsUrl, name: `executor-${config.id}`, log });
  await using reporter = createReporter(events, config.id, log);
  const { report, reportInheritance } = reporter;
  const { leaseIdleMs: idleMs } = config;
  await using leases = createLeases({ instances, pool: () => pool, room, catalog, idleMs, log });
  const everything = {
    backend,
    instances,
    sandboxes,
    leases,
    claims,
    quarantine,
    catalog,
    pool: () => pool,
    report,
    reportInheritance,
    log,
  };
  await using _held = { [Symbol.asyncDispose]: () => sandboxes.release() };
  await adoptInstances(everything);
  await using pool = createPool({
    catalog,
    instances,
    log,
    hasRoom: ({ limits }, besides) => !drain.begun.aborted && room.fits(limits.memoryBytes, besides),
    isBusy: () => backend.capabilities.isOneHost && (sandboxes.isMaking() || leases.isMaking()),
  });
  await using reconciliation = every(RECONCILE_INTERVAL_MS, log, () => reconcile(everything));
  await using _watch = backend.watch({
    ended(instanceId, reason) {
      instanceEnded(everything, instanceId, reason).catch((error) =>
        log.error({ err: error, instanceId }, 'end not handled'),
      );
    },
    takenOver(instanceId) {
      instanceTakenOver(everything, instanceId).catch((error) =>
        log.error({ err: error, instanceId }, 'not let go of what another executor has'),
      );
    },
    changed: () => reconciliation.trigger(),
  });
  await using _deadlines = every(DEADLINE_INTERVAL_MS, log, () => enforceDeadlines(everything));
  await using _claims = every(CLAIMS_INTERVAL_MS, log, () => sandboxes.writeAgain());
  await using _leases = every(DEADLINE_INTERVAL_MS, log, async () => leases.sweep(Date.now()));
  await using life = await followLife(dataDirectory, sandboxes.list().length > 0, log);
  using _session = followSession(events, sandboxes, life.missedSince, log);
  await using _deletions = followDeletions(events, everything, life.missedSince);
  await using announcer = createAnnouncer({
    events,
    sandboxes,
    leases,
    room,
    slots,
    pool: () => pool,
    executorId: config.id,
    cluster: backend.cluster,
    address: config.advertisedAddress,
    maxSandboxes,
    leaving,
    log,
  });

  await using server = await startServer({
    address: config.address,
    services: [
      service(ExecutorServiceDefinition, createExecutor({ sandboxes, leases, instances, slots, backend, drain, log }), {
        allow: ['scheduler'],
      }),
      service(ProcessServiceDefinition, createProcesses(sandboxes), { allow: ['gateway'] }),
      service(FileServiceDefinition, createFiles(sandboxes), { allow: ['gateway'] }),
    ],
    log,
    tls,
  });
  gauge('executor_sandboxes', 'Sandboxes of organisations.', [], (set) => set({}, sandboxes.list().length));
  gauge('executor_warm_sandboxes', 'Sandboxes that wait to be claimed.', ['template'], (set) => {
    for (const [template, size] of pool.sizes('sandbox')) set({ template }, size);
  });
  gauge('executor_own_warm_sandboxes', 'Sandboxes that wait for one organisation each.', ['template'], (set) => {
    for (const [template, size] of pool.sizes('sandbox', 'own')) set({ template }, size);
  });
  gauge('executor_warm_cell_hosts', 'Sandboxes for cells that wait to be leased.', ['template'], (set) => {
    for (const [template, size] of pool.sizes('cells')) set({ template }, size);
  });
  gauge('executor_leases', 'Sandboxes leased for cells.', ['use'], (set) => {
    const [idle, used] = leases.idleAndUsed();
    set({ use: 'idle' }, idle.length);
    set({ use: 'used' }, used.length);
  });
  gauge('executor_quarantined_sandboxes', 'Sandboxes that cannot be taken over yet; the log says why.', [], (set) =>
    set({}, quarantine.ids().length),
  );
  gauge('executor_executions', 'Executions that run now.', [], (set) => set({}, slots.taken()));
  await using _telemetry = await startTelemetry({
    service: 'executor',
    metricsAddress: config.metricsAddress,
    log,
    ready: () => backend.ping(),
  });

  announcer.begin();
  log.info({ port: server.port, executorId: config.id }, 'listening');
  await aborted(leaving);
  if (drain.begun.aborted) await untilEmpty({ sandboxes, slots, report, limitMs: config.drainMs, log }, shutdown);
});
