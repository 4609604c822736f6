import { existsSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { processesForSandboxes } from '../../services/executor/instances/host-processes.ts';
import { type Child, startChild, until } from '../host/child.ts';
import { BUILD, NODE, ROOT } from '../host/root.ts';
import type { Ports } from '../host/settings.ts';
import { StartError } from '../host/start-error.ts';
import { together } from '../host/steps.ts';
import { resolvedCatalog } from '../images/resolved-catalog.ts';
import { authorityKey, directoryOfExecutors, ensureCertificates } from './certificates.ts';
import { joinTokenFile, makeJoinTokens } from './join-tokens.ts';
import { startNats } from './nats.ts';
import { keepSecret, startPostgres } from './postgres.ts';
import { removeSandboxes, type SandboxBackend, variablesFor } from './sandbox-backend.ts';
import { userIdsFor } from './user-ids.ts';

const READY_MS = 60_000;

export type PlatformOptions = {
  dataDirectory: string;
  /** May come late: all but the executors is started meanwhile. */
  backend: SandboxBackend | Promise<SandboxBackend>;
  /** What services are made of, which may come late as well. Default: it is there. */
  code?: Promise<unknown>;
  ports: Ports;
  /** Sets executors apart from those of other platforms on the same backend. */
  name: string;
  /** Where PostgreSQL and NATS run already; else they are started. */
  databaseUrl?: string | undefined;
  natsUrl?: string | undefined;
  /** Variables for every service. */
  environment?: Record<string, string>;
  /** Every line that a process prints. */
  onLine?: (process: string, line: string) => void;
  /** A process ended though nobody asked it to. */
  onExit?: (process: string, reason: string) => void;
  /** Ends the start, which then throws; and each start of a process after it. */
  signal?: AbortSignal;
  /** Does a part of the start, of that name. Default: does it. */
  step?: Step;
};

export type Step = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export type Platform = AsyncDisposable & {
  gatewayAddress: string;
  httpUrl: string;
  /** The operator's API key. */
  apiKey: string;
  databaseUrl: string;
  natsUrl: string;
  tlsDirectory: string;
  executors: { id: string; address: string }[];
  /** Where each process's metrics are. */
  metricsUrls: ReadonlyMap<string, string>;
  /** Processes by name: `postgres`, `nats`, `gateway`, `auth`, `session`, `scheduler`, `executor-1` … */
  processes: ReadonlyMap<string, Child>;
  /** Ends a process as a crash would, or starts it again and waits until it is ready. */
  kill(name: string): Promise<void>;
  restart(name: string): Promise<void>;
};

type Service = {
  name: string;
  directory: string;
  metricsPort: number;
  environment: Record<string, string>;
};

/** Starts PostgreSQL, NATS and the five services, waits until they are ready, and makes the operator's key. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { dataDirectory, ports, step = (_, work) => work() } = options;
  const expectedBackend = Promise.resolve(options.backend);
  // Where the stores fail first, nobody waits for it any more.
  expectedBackend.catch(() => {});
  await using started = new AsyncDisposableStack();
  await mkdir(dataDirectory, { recursive: true });
  // PostgreSQL's own user passes through.
  await chmod(dataDirectory, 0o755);
  const runDirectory = join(dataDirectory, 'run');
  const tlsDirectory = join(dataDirectory, 'tls');
  await ensureCertificates(tlsDirectory);
  const group: ProcessGroup = { processes: new Map(), starters: new Map() };
  let backend: SandboxBackend | undefined;
  started.defer(async () => {
    for (const name of inOrder(group.processes.keys())) await group.processes.get(name)!.stop();
    if (backend) await removeSandboxes(backend, executorIds(options));
  });
  const { databaseUrl, natsUrl } = await step('PostgreSQL and NATS', () =>
    startStores(options, { runDirectory, tlsDirectory }, group),
  );
  await options.code;
  const environment = environmentOf(options, {
    NATS_URL: natsUrl,
    TLS_DIR: tlsDirectory,
    CATALOG_FILE: await resolveCatalog(dataDirectory),
  });
  const services = servicesOf(options, environment, { DATABASE_URL: databaseUrl });
  const start = (service: Service) => startService(service, runDirectory, options, group);
  const startAll = (each: Service[]) =>
    together(each.map((service) => begin(group, service.name, () => start(service))));
  const withServices = step('services', async () => {
    const key = await bootstrap(dataDirectory, databaseUrl, options.signal);
    await startAll(services);
    return key;
  });
  backend = await untilEither(expectedBackend, withServices);
  const executors = executorsOf(options, environment, backend);
  const withExecutors = step('executors', async () => {
    await makeJoinTokens({ dataDirectory, tlsDirectory, executors: joining(options) }, databaseUrl, options.signal);
    await startAll(executors);
  });
  const [apiKey] = await together([withServices, withExecutors]);

  const kept = started.move();
  return {
    gatewayAddress: `127.0.0.1:${ports.gateway}`,
    httpUrl: `http://127.0.0.1:${ports.http}`,
    apiKey,
    databaseUrl,
    natsUrl,
    tlsDirectory,
    executors: executorIds(options).map((id, index) => ({ id, address: `127.0.0.1:${ports.executors[index]!.port}` })),
    metricsUrls: new Map(
      [...services, ...executors].map(({ name, metricsPort }) => [name, `http://127.0.0.1:${metricsPort}/metrics`]),
    ),
    processes: group.processes,
    async kill(name) {
      await group.processes.get(name)?.stop('SIGKILL');
    },
    async restart(name) {
      await group.processes.get(name)?.stop();
      await group.starters.get(name)!();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type ProcessGroup = { processes: Map<string, Child>; starters: Map<string, () => Promise<void>> };

/** Starts a process in a way that can be repeated. */
function begin({ starters }: ProcessGroup, name: string, start: () => Promise<void>): Promise<void> {
  starters.set(name, start);
  return start();
}

/** Starts those of PostgreSQL and NATS that are not given. */
async function startStores(
  options: PlatformOptions,
  { runDirectory, tlsDirectory }: { runDirectory: string; tlsDirectory: string },
  group: ProcessGroup,
) {
  const { dataDirectory, ports } = options;
  let { databaseUrl = '', natsUrl = '' } = options;
  const postgres = async () => {
    const own = { dataDirectory, runDirectory, port: ports.postgres, ...listeners(options, 'postgres') };
    const child = await startPostgres(own);
    group.processes.set('postgres', child);
    databaseUrl = child.url;
  };
  const nats = async () => {
    const own = { dataDirectory, runDirectory, tlsDirectory, executorIds: executorIds(options), port: ports.nats };
    const child = await startNats({ ...own, ...listeners(options, 'nats') });
    group.processes.set('nats', child);
    natsUrl = child.url;
  };
  await together([
    options.databaseUrl ? Promise.resolve() : begin(group, 'postgres', postgres),
    options.natsUrl ? Promise.resolve() : begin(group, 'nats', nats),
  ]);
  return { databaseUrl, natsUrl };
}

/** The gateway first, so that nothing new comes in; executors after them that ask them, so that what runs can end. */
function inOrder(names: Iterable<string>): string[] {
  const order = ['gateway', 'scheduler', 'executor', 'session', 'auth', 'nats', 'postgres'];
  const rank = (name: string) => order.findIndex((each) => name.startsWith(each));
  return [...names].sort((a, b) => rank(a) - rank(b));
}

/** What the start of any of its processes is told besides. */
function listeners({ onLine, onExit, signal }: PlatformOptions, name: string) {
  return {
    ...(signal ? { signal } : {}),
    ...(onLine ? { onLine: (line: string) => onLine(name, line) } : {}),
    ...(onExit ? { onExit: (reason: string) => onExit(name, reason) } : {}),
  };
}

function executorIds({ name, ports }: PlatformOptions): string[] {
  return ports.executors.map((_, index) => `${name}-${index + 1}`);
}

/** Executors that join, each with its own data directory. */
function joining(options: PlatformOptions): { id: string; directory: string }[] {
  return executorIds(options).map((id, index) => ({ id, directory: executorDirectory(options.dataDirectory, index) }));
}

/** Waits for the first. Throws when either of them fails, and not before the second has ended. */
async function untilEither<T>(first: Promise<T>, second: Promise<unknown>): Promise<T> {
  try {
    return await Promise.race([first, second.then(() => first)]);
  } catch (error) {
    await Promise.allSettled([second]);
    throw error;
  }
}

type Variables = Record<string, string>;

const executorDirectory = (dataDirectory: string, index: number) => join(dataDirectory, `executor-${index + 1}`);

/** Large buffers go back to the system when they are freed. By default they stay with the process once it had one of 32 MiB. */
export const MALLOC = { MALLOC_MMAP_THRESHOLD_: '262144', MALLOC_TRIM_THRESHOLD_: '1048576', MALLOC_ARENA_MAX: '2' };

const OWNERS: ReadonlySet<string> = new Set(['auth', 'session']);

const at = (port: number) => `127.0.0.1:${port}`;

/** Of every service. */
function environmentOf({ ports, environment }: PlatformOptions, ofAll: Variables): Variables {
  return {
    // Stripping types takes a fifth of a service's memory, and half of its start.
    NODE_COMPILE_CACHE: join(BUILD, 'compile-cache'),
    ...MALLOC,
    ...ofAll,
    GATEWAY_ADDRESS: at(ports.gateway),
    GATEWAY_HTTP_ADDRESS: at(ports.http),
    AUTH_ADDRESS: at(ports.auth),
    AUTH_JOIN_ADDRESS: at(ports.join),
    SESSION_ADDRESS: at(ports.session),
    SCHEDULER_ADDRESS: at(ports.scheduler),
    ...environment,
  };
}

/** All but the executors. `ofOwners`: variables of those that own a schema of the database. */
function servicesOf({ ports }: PlatformOptions, environment: Variables, ofOwners: Variables): Service[] {
  return (['auth', 'session', 'scheduler', 'gateway'] as const).map((name) => ({
    name,
    directory: name,
    metricsPort: ports.metrics[name],
    environment: {
      ...environment,
      ...(OWNERS.has(name) ? ofOwners : {}),
      ...(name === 'auth' ? { AUTH_AUTHORITY_KEY_FILE: authorityKey(environment.TLS_DIR!) } : {}),
      [`${name.toUpperCase()}_METRICS_ADDRESS`]: at(ports.metrics[name]),
    },
  }));
}

function executorsOf(options: PlatformOptions, environment: Variables, backend: SandboxBackend): Service[] {
  const { ports, dataDirectory } = options;
  return ports.executors.map(({ port, metrics }, index) => ({
    name: `executor-${index + 1}`,
    directory: 'executor',
    metricsPort: metrics,
    environment: {
      EXECUTOR_PROCESSES: String(processesForSandboxes(ports.executors.length)),
      ...environment,
      ...userIdsFor({ port, index }, { ...process.env, ...options.environment }),
      EXECUTOR_ID: executorIds(options)[index]!,
      TLS_DIR: directoryOfExecutors(environment.TLS_DIR!),
      EXECUTOR_JOIN_TOKEN_FILE: joinTokenFile(dataDirectory, executorIds(options)[index]!),
      EXECUTOR_ADDRESS: at(port),
      EXECUTOR_METRICS_ADDRESS: at(metrics),
      EXECUTOR_DATA_DIR: executorDirectory(dataDirectory, index),
      ...variablesFor(backend, index),
    },
  }));
}

async function startService(
  { name, directory, environment, metricsPort }: Service,
  runDirectory: string,
  options: PlatformOptions,
  { processes }: ProcessGroup,
): Promise<void> {
  options.signal?.throwIfAborted();
  const child = await startChild({
    name,
    runDirectory,
    command: NODE,
    // MiB for new objects. Node's own default would be a sixth of a service's memory, for nothing.
    args: ['--max-semi-space-size=8', join(ROOT, 'services', directory, 'main.ts')],
    environment,
    ...listeners(options, name),
  });
  processes.set(name, child);
  await until(child, name, READY_MS, () => isReady(metricsPort, options.signal), options.signal);
}

function isReady(port: number, signal: AbortSignal | undefined): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`, signal && { signal }).then(
    async (response) => {
      await response.text();
      return response.ok;
    },
    () => false,
  );
}

/** The operator's key: made once, and kept where only its owner reads it before the database has it. */
async function bootstrap(dataDirectory: string, databaseUrl: string, signal?: AbortSignal): Promise<string> {
  const file = join(dataDirectory, 'api-key');
  const kept = existsSync(file);
  const apiKey = await keepSecret(file, 'dk_');
  const { stdout } = await execa(NODE, [join(ROOT, 'services/auth/bootstrap.ts')], {
    env: { DATABASE_URL: databaseUrl, OPERATOR_API_KEY: apiKey },
    ...(signal && { cancelSignal: signal }),
  });
  const { existing = false } = JSON.parse(stdout) as { existing?: boolean };
  if (existing && !kept) {
    await rm(file);
    throw new StartError(
      `the database has an operator already, but its key is not in ${file}`,
      'put the key there, or use another database',
    );
  }
  return apiKey;
}

/** The catalogue with images as the backend knows them. */
async function resolveCatalog(dataDirectory: string): Promise<string> {
  const file = join(dataDirectory, 'catalog.json');
  await writeFile(file, await resolvedCatalog());
  return file;
}
