import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { missingFile } from '#libs/missing.ts';
import { resolvedCatalog } from '../images/resolved-catalog.ts';
import { ensureCertificates } from './certificates.ts';
import { type Child, startChild, until } from './child.ts';
import { startNats } from './nats.ts';
import { startPostgres } from './postgres.ts';
import { BUILD, ROOT } from './root.ts';
import { removeSandboxes, type SandboxBackend, variablesFor } from './sandbox-backend.ts';

const READY_MS = 60_000;
const NODE = join(ROOT, 'node_modules/.bin/node');

/** Every port of a platform; an executor has one for calls and one for metrics. */
export type Ports = {
  postgres: number;
  nats: number;
  gateway: number;
  http: number;
  auth: number;
  session: number;
  scheduler: number;
  metrics: {
    gateway: number;
    auth: number;
    session: number;
    scheduler: number;
  };
  executors: { port: number; metrics: number }[];
};

export type PlatformOptions = {
  dataDirectory: string;
  backend: SandboxBackend;
  ports: Ports;
  /** Sets executors apart from those of other platforms on the same backend. */
  name: string;
  /** Where PostgreSQL and NATS run already; else they are started. */
  databaseUrl?: string | undefined;
  natsUrl?: string | undefined;
  /** Variables for every service. */
  environment?: Record<string, string>;
  onLine?: (process: string, line: string) => void;
  onExit?: (process: string, reason: string) => void;
};

export type Platform = AsyncDisposable & {
  gatewayAddress: string;
  httpUrl: string;
  /** The operator's API key. */
  apiKey: string;
  databaseUrl: string;
  natsUrl: string;
  tlsDirectory: string;
  executorAddresses: string[];
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
  const { dataDirectory, ports } = options;
  await using started = new AsyncDisposableStack();
  await mkdir(dataDirectory, { recursive: true });
  // PostgreSQL's own user passes through.
  await chmod(dataDirectory, 0o755);
  const runDirectory = join(dataDirectory, 'run');
  const tlsDirectory = join(dataDirectory, 'tls');
  await ensureCertificates(tlsDirectory);
  const processes = new Map<string, Child>();
  const starters = new Map<string, () => Promise<void>>();
  const begin = (name: string, start: () => Promise<void>) => {
    starters.set(name, start);
    return start();
  };
  started.defer(async () => {
    for (const name of inOrder(processes.keys())) await processes.get(name)!.stop();
    await removeSandboxes(options.backend, executorIds(options));
  });

  let { databaseUrl = '', natsUrl = '' } = options;
  if (!options.databaseUrl)
    await begin('postgres', async () => {
      const own = { dataDirectory, runDirectory, port: ports.postgres, ...listeners(options, 'postgres') };
      const postgres = await startPostgres(own);
      processes.set('postgres', postgres);
      databaseUrl = postgres.url;
    });
  if (!options.natsUrl)
    await begin('nats', async () => {
      const own = { dataDirectory, runDirectory, port: ports.nats, ...listeners(options, 'nats') };
      const nats = await startNats(own);
      processes.set('nats', nats);
      natsUrl = nats.url;
    });
  const shared = {
    DATABASE_URL: databaseUrl,
    NATS_URL: natsUrl,
    TLS_DIR: tlsDirectory,
    CATALOG_FILE: await resolveCatalog(dataDirectory),
  };
  const services = servicesOf(options, shared);
  const apiKey = await bootstrap(dataDirectory, databaseUrl);
  await Promise.all(
    services.map((service) =>
      begin(service.name, async () => {
        const child = await startService(service, runDirectory, options);
        processes.set(service.name, child);
        await until(child, service.name, READY_MS, () => isReady(service.metricsPort));
      }),
    ),
  );

  const kept = started.move();
  return {
    gatewayAddress: `127.0.0.1:${ports.gateway}`,
    httpUrl: `http://127.0.0.1:${ports.http}`,
    apiKey,
    databaseUrl,
    natsUrl,
    tlsDirectory,
    executorAddresses: ports.executors.map(({ port }) => `127.0.0.1:${port}`),
    metricsUrls: new Map(services.map(({ name, metricsPort }) => [name, `http://127.0.0.1:${metricsPort}/metrics`])),
    processes,
    async kill(name) {
      await processes.get(name)?.stop('SIGKILL');
    },
    async restart(name) {
      await processes.get(name)?.stop();
      await starters.get(name)!();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The gateway first, so that nothing new comes in; executors after them that ask them, so that what runs can end. */
function inOrder(names: Iterable<string>): string[] {
  const order = ['gateway', 'scheduler', 'executor', 'session', 'auth', 'nats', 'postgres'];
  const rank = (name: string) => order.findIndex((each) => name.startsWith(each));
  return [...names].sort((a, b) => rank(a) - rank(b));
}

function listeners({ onLine, onExit }: PlatformOptions, name: string) {
  return {
    ...(onLine ? { onLine: (line: string) => onLine(name, line) } : {}),
    ...(onExit ? { onExit: (reason: string) => onExit(name, reason) } : {}),
  };
}

function executorIds({ name, ports }: PlatformOptions): string[] {
  return ports.executors.map((_, index) => `${name}-${index + 1}`);
}

function servicesOf(options: PlatformOptions, shared: Record<string, string>): Service[] {
  const { ports, dataDirectory, backend } = options;
  const at = (port: number) => `127.0.0.1:${port}`;
  const environment = {
    // Stripping types takes a fifth of a service's memory, and half of its start.
    NODE_COMPILE_CACHE: join(BUILD, 'compile-cache'),
    ...shared,
    GATEWAY_ADDRESS: at(ports.gateway),
    GATEWAY_HTTP_ADDRESS: at(ports.http),
    AUTH_ADDRESS: at(ports.auth),
    SESSION_ADDRESS: at(ports.session),
    SCHEDULER_ADDRESS: at(ports.scheduler),
    ...options.environment,
  };
  const plain = (['auth', 'session', 'scheduler', 'gateway'] as const).map((name) => ({
    name,
    directory: name,
    metricsPort: ports.metrics[name],
    environment: {
      ...environment,
      [`${name.toUpperCase()}_METRICS_ADDRESS`]: at(ports.metrics[name]),
    },
  }));
  const executors = ports.executors.map(({ port, metrics }, index) => ({
    name: `executor-${index + 1}`,
    directory: 'executor',
    metricsPort: metrics,
    environment: {
      ...environment,
      EXECUTOR_ID: executorIds(options)[index]!,
      EXECUTOR_ADDRESS: at(port),
      EXECUTOR_METRICS_ADDRESS: at(metrics),
      EXECUTOR_DATA_DIR: join(dataDirectory, `executor-${index + 1}`),
      ...variablesFor(backend, index),
    },
  }));
  return [...plain, ...executors];
}

function startService({ name, directory, environment }: Service, runDirectory: string, options: PlatformOptions) {
  return startChild({
    name,
    runDirectory,
    command: NODE,
    // MiB for new objects. Node's own default would be a sixth of a service's memory, for nothing.
    args: ['--max-semi-space-size=8', join(ROOT, 'services', directory, 'main.ts')],
    environment,
    ...listeners(options, name),
  });
}

function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    async (response) => {
      await response.text();
      return response.ok;
    },
    () => false,
  );
}

/** The operator's key: made once, and kept where only its owner reads it. */
async function bootstrap(dataDirectory: string, databaseUrl: string): Promise<string> {
  const file = join(dataDirectory, 'api-key');
  const { stdout } = await execa(NODE, [join(ROOT, 'services/auth/bootstrap.ts')], {
    env: { DATABASE_URL: databaseUrl },
  });
  const { secret } = JSON.parse(stdout) as { secret?: string };
  if (secret) await writeFile(file, secret, { mode: 0o600 });
  const kept = await readFile(file, 'utf8').catch(missingFile);
  if (kept === undefined) throw new Error(`the database has an operator already, but its key is not in ${file}`);
  return kept;
}

/** The catalogue with images as the backend knows them. */
async function resolveCatalog(dataDirectory: string): Promise<string> {
  const file = join(dataDirectory, 'catalog.json');
  await writeFile(file, await resolvedCatalog());
  return file;
}
