import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { execaNode } from 'execa';
import pg from 'pg';
import pino from 'pino';
import { watchExecutors } from '#libs/executor-directory.ts';
import { createClient } from '#libs/grpc/client.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import { ROOT } from '../../deploy/host/root.ts';
import type { Platform } from '../../deploy/local/platform.ts';
import { place } from '../../services/scheduler/placement.ts';
import { connectGrpc } from '../support/api.ts';
import { startNats } from '../support/nats.ts';
import { platformPorts } from '../support/platform.ts';
import { announcement } from './heartbeats.ts';
import { createTenant, prepareMachine, startBenchPlatform } from './machine.ts';
import { type Measured, measure } from './measure.ts';
import { drawDots } from './picture.ts';
import { tableOf } from './report.ts';
import { fillRecords, sequentialScans } from './rows.ts';

const PICTURE = join(ROOT, 'services/session/scale.svg');
const LISTEN_MS = 10_000;
const MiB = 1024 ** 2;
const PROGRAM = SubmitExecutionRequest.create({ language: 'python', source: 'print(1)' });
const log = pino({ level: 'warn' });

const command = new Command('npm run bench:scale --')
  .description(
    'Measures placement, heartbeats and records at the size of many machines, with the real code on this one.',
  )
  .option('--executors <numbers>', 'that announce themselves', '100,1000,10000')
  .option('--rows <numbers>', 'of executions and of sandboxes each', '1000,100000,1000000')
  .option('--iterations <number>', 'of each series', '200')
  .option('--picture <file>', 'where the picture goes', PICTURE)
  .parse();
const options = command.opts<{ executors: string; rows: string; iterations: string; picture: string }>();
const [sizes, counts] = [options.executors, options.rows].map((text) => text.split(',').map(Number)) as [
  number[],
  number[],
];
const iterations = Number(options.iterations);

await using _machine = await prepareMachine();
process.stdout.write(`${await placements()}\n`);
process.stdout.write(`${await heartbeats()}\n`);
process.stdout.write(`${await records()}\n`);

/** One choice and its reservation, as for a sandbox and for an execution. */
async function placements(): Promise<string> {
  const rows: string[][] = [];
  for (const size of sizes) {
    const executors = Array.from({ length: size }, (_, index) => announcement(index));
    const sandbox = { template: 'python', memoryBytes: 256 * MiB };
    const execution = { template: 'python', execution: true as const };
    for (const [what, demand] of [['sandbox', sandbox] as const, ['execution', execution] as const]) {
      const once = () => place(executors, demand, log, async () => {});
      const { p50, p99 } = await measure({ name: what, iterations: 10 * iterations, warmUp: iterations, once });
      rows.push([what, String(size), p50.toFixed(3), p99.toFixed(3)]);
    }
  }
  return tableOf(['placement of', 'executors', 'p50 ms', 'p99 ms'], rows);
}

/** A directory that hears them all, as each replica of gateway, session and scheduler has one. */
async function heartbeats(): Promise<string> {
  const rows: string[][] = [];
  for (const size of sizes) {
    await using nats = await startNats();
    await using events = connectEvents({ url: nats.url, name: 'directory', log });
    using directory = watchExecutors(events);
    const announcing = execaNode(join(import.meta.dirname, 'heartbeats.ts'), [nats.url, String(size)], {
      reject: false,
    });
    while (directory.list().length < size) await pause(100);
    const before = process.cpuUsage();
    await pause(LISTEN_MS);
    const { user, system } = process.cpuUsage(before);
    announcing.kill();
    await announcing;
    const cpu = (user + system) / 1000 / (LISTEN_MS / 1000);
    rows.push([
      String(size),
      `${cpu.toFixed(1)} ms`,
      `${((cpu * 1000) / size).toFixed(1)} µs`,
      `${(process.memoryUsage().heapUsed / MiB).toFixed(0)} MiB`,
    ]);
  }
  return tableOf(['executors', 'CPU a second', 'of each heartbeat', 'heap'], rows);
}

/** Session's calls, beside other rows of the same tenant. */
async function records(): Promise<string> {
  const measured: (Measured & { rows: number; scans: string[] })[] = [];
  for (const rows of counts) {
    const ports = await platformPorts(1);
    await using platform = await startBenchPlatform({ ports });
    await platform.kill('executor-1');
    await untilNobodyRuns(platform);
    const sessionAddress = `127.0.0.1:${ports.session}`;
    for (const series of await recordsBeside(platform, sessionAddress, rows)) measured.push({ rows, ...series });
  }
  const dots = measured.map(({ name, rows, p50 }) => ({
    row: name,
    panel: 'p50, ms',
    colour: String(rows),
    value: p50,
  }));
  await writeFile(options.picture, await drawDots(dots, 'rows'));
  return tableOf(
    ['call', 'rows', 'p50 ms', 'p99 ms', 'success', 'tables read whole'],
    measured.map(({ name, rows, p50, p99, success, scans }) => [
      name,
      rows,
      p50.toFixed(2),
      p99.toFixed(2),
      `${(success * 100).toFixed(0)} %`,
      scans.join(', ') || 'none',
    ]),
  );
}

async function recordsBeside(platform: Platform, sessionAddress: string, rows: number) {
  const { organizationId, secret } = await createTenant(platform);
  using api = connectGrpc(platform, secret);
  const tls = readTls(platform.tlsDirectory, 'scheduler');
  using session = createClient(RecordServiceDefinition, sessionAddress, { name: 'session', tls });
  await using database = await connectDatabase(platform.databaseUrl);
  const { client } = database;
  await api.executions.submitExecution(PROGRAM);
  // There is no executor for it; its row stays.
  await api.createSandbox().catch(() => {});
  const { executionIds, sandboxId } = await fillRecords(client, organizationId, rows);
  const quota = { concurrentSandboxes: 10, concurrentExecutions: 10, queuedExecutions: 10 * rows, queueWeight: 100 };
  const caller = { organizationId, apiKeyId: '', scopes: [], quota: { ...quota, sharedPool: true, blobBytes: 0 } };
  const page = { pageSize: 100, pageToken: '' };
  const calls: [string, (index: number) => Promise<unknown>][] = [
    ['submit', () => api.executions.submitExecution(PROGRAM)],
    ['take the next', () => session.takeExecution({}, { caller })],
    ['get one', () => api.executions.getExecution({ executionId: executionIds[0]!, wait: undefined })],
    ['cancel one', (index) => api.executions.cancelExecution({ executionId: executionIds.at(index)! })],
    ['list executions', () => api.executions.listExecutions({ ...page, states: [] })],
    ['list executions that run', () => api.executions.listExecutions({ ...page, states: ['RUNNING'] })],
    ['get a sandbox', () => api.sandboxes.getSandbox({ sandboxId })],
    ['list sandboxes', () => api.sandboxes.listSandboxes({ ...page, states: [], metadataFilters: [] })],
    [
      'list sandboxes that start',
      () => api.sandboxes.listSandboxes({ ...page, states: ['PENDING'], metadataFilters: [] }),
    ],
    ['mark an executor lost', (index) => session.markExecutorLost({ executorId: `exe_${index}` }, { caller })],
  ];
  const results: (Measured & { scans: string[] })[] = [];
  for (const [name, once] of calls) {
    const before = await sequentialScans(client);
    const series = await measure({ name, iterations, warmUp: 10, once });
    const after = await sequentialScans(client);
    const scanned = [...after.keys()].filter((table) => after.get(table)! - before.get(table)! >= iterations);
    results.push({ ...series, scans: scanned });
  }
  return results;
}

/** The scheduler, which would take from the queue, has noticed that there is no executor. */
async function untilNobodyRuns({ metricsUrls }: Platform): Promise<void> {
  const probe = new URL('/readyz', metricsUrls.get('scheduler'));
  while ((await fetch(probe)).ok) await pause(100);
}

async function connectDatabase(connectionString: string): Promise<{ client: pg.Client } & AsyncDisposable> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.end() };
}
