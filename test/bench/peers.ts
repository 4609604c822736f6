import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import { type OwnCluster, prepareCluster, startCluster } from '../../deploy/dev-cluster/cluster.ts';
import { ROOT } from '../../deploy/host/root.ts';
import { ensureSystemPackages } from '../../deploy/host/system-packages.ts';
import { ensureArchive, imageTag } from '../../deploy/images/build.ts';
import { connectGrpc, connectHttp } from '../support/api.ts';
import { machineCpuMs } from './cpu.ts';
import { openEngineBaselines } from './engine-baselines.ts';
import { forkAndExec } from './fork.ts';
import { createTenant, DATA_DIRECTORY, prepareMachine, startBenchPlatform } from './machine.ts';
import { type Measured, measure } from './measure.ts';
import { type Dot, drawDots } from './picture.ts';
import { startPod } from './pods.ts';
import { tableOf } from './report.ts';

const SOURCE = 'print(42)';
const PYTHON = ['/usr/bin/python3', '-c', SOURCE];
const PICTURE = join(ROOT, 'services/peers.svg');
const BUBBLEWRAP = { command: 'bwrap', package: 'bubblewrap', unless: () => false };
const LEAST_RUNS = 2;

/** A way to run a program. */
type Peer = { name: string; run: (iterations: number, callers: number) => Promise<Measured> };
type Cost = Measured & { cpuMs: number };

const command = new Command('npm run bench:peers --')
  .description(
    'Runs the same Python program bare and in every kind of sandbox that a user of this machine could pick, one way after the other.',
  )
  .option('--json <file>', 'also write every figure to a file')
  .option('--picture <file>', 'where the picture goes', PICTURE)
  .option('--callers <numbers>', 'callers at once, one series for each', '1,4,16')
  .option('--seconds <number>', 'of each series', '5')
  .option('--no-cluster', 'leave out what needs a Kubernetes')
  .parse();
const options = command.opts<{ json?: string; picture: string; callers: string; seconds: string; cluster: boolean }>();

await ensureSystemPackages((line) => process.stderr.write(`${line}\n`), [BUBBLEWRAP]);
await using machine = await prepareMachine();
const costs: Cost[] = [];
await measureAlone();
if (options.cluster) await measureCluster();
await measureDrydock();
process.stdout.write(`${tableOfCosts()}\n`);
await writeFile(options.picture, await drawDots(costs.flatMap(dotsOf), 'callers'));
if (options.json) await writeFile(options.json, `${JSON.stringify(costs, null, 2)}\n`);

/** Without us, and without what is built with a cluster. */
async function measureAlone(): Promise<void> {
  await using baselines = await openEngineBaselines(machine.engineSocket, 0);
  await using root = await baselines.unpackRoot();
  const bwrap = ['--ro-bind', root.path, '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--unshare-all'];
  await measurePeers([
    forked('fork and exec', { root: root.path, words: PYTHON }),
    forked('bubblewrap', { words: ['/usr/bin/bwrap', ...bwrap, '--die-with-parent', '--', ...PYTHON] }),
    called('docker exec', () => baselines.exec(PYTHON)),
    called('docker run', () => baselines.run(PYTHON)),
  ]);
}

/** Our cluster's own gVisor among it. */
async function measureCluster(): Promise<void> {
  const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
  await measureGvisor(onProgress);
  await using cluster = await startCluster({ dataDirectory: DATA_DIRECTORY, onProgress });
  const archive = await ensureArchive('python', { cacheDirectory: process.env.IMAGE_CACHE! });
  await cluster.importImage(archive, await imageTag('python'));
  await using idle = await startPod(cluster.kubeconfig, 'idle', ['sleep', 'infinity'], 'Running');
  let count = 0;
  await measurePeers([
    called('kubectl exec', () => execInPod(cluster, idle.name)),
    called('pod for each program', async () => {
      await using _pod = await startPod(cluster.kubeconfig, `each-${count++}`, PYTHON, 'Succeeded');
    }),
  ]);
}

async function measureGvisor(onProgress: (line: string) => void): Promise<void> {
  const { gvisor } = await prepareCluster(DATA_DIRECTORY, onProgress);
  await using baselines = await openEngineBaselines(machine.engineSocket, 0);
  await using root = await baselines.unpackRoot();
  const runsc = ['--network=none', '--ignore-cgroups', 'do', '-quiet', '-cwd', '/', '-root', root.path];
  await measurePeers([forked('gVisor, runsc do', { words: [join(gvisor, 'runsc'), ...runsc, ...PYTHON], user: 0 })]);
}

function execInPod({ kubeconfig, kubectl }: OwnCluster, name: string) {
  return execa(kubectl, [`--kubeconfig=${kubeconfig}`, 'exec', name, '--', ...PYTHON]);
}

async function measureDrydock(): Promise<void> {
  await using platform = await startBenchPlatform();
  const { secret } = await createTenant(platform);
  using grpc = connectGrpc(platform, secret);
  const http = connectHttp(platform, secret);
  const program = { language: 'python', source: SOURCE };
  const expectAccepted = (verdict: string | undefined) => {
    if (verdict !== 'ACCEPTED') throw new Error(verdict);
  };
  // What it is compared with has no limit of CPU.
  const { id: sandboxId } = await grpc.createSandbox({ lifetime: { seconds: 3600, nanos: 0 } });
  await measurePeers([
    called('Drydock, command in a live sandbox', () => grpc.command(sandboxId, PYTHON)),
    called('Drydock, RunCode over gRPC', async () => expectAccepted((await grpc.runCode(program)).verdict)),
    called('Drydock, RunCode over HTTP', async () =>
      expectAccepted((await http('POST', '/v1/executions:run', program)).body.verdict),
    ),
    called('Drydock, queue', async () => {
      const { execution } = await grpc.executions.submitExecution(SubmitExecutionRequest.create(program));
      const wait = { seconds: 60, nanos: 0 };
      const ended = await grpc.executions.getExecution({ executionId: execution!.id, wait });
      expectAccepted(ended.execution?.verdict);
    }),
  ]);
}

/** A command that Go forks, as uid 1000 where nothing else is asked for. */
function forked(name: string, what: { root?: string; words: string[]; user?: number }): Peer {
  return { name, run: (iterations, callers) => forkAndExec(name, { ...what, iterations, callers }) };
}

/** A call of an API, or a command, from this process. */
function called(name: string, once: () => Promise<unknown>): Peer {
  return {
    name,
    run: (iterations, concurrency) => measure({ name, iterations, concurrency, warmUp: 0, once }),
  };
}

async function measurePeers(peers: Peer[]): Promise<void> {
  for (const peer of peers)
    for (const callers of options.callers.split(',').map(Number)) {
      const cost = await costOf(peer, callers);
      costs.push(cost);
      process.stderr.write(
        `${peer.name} (${callers}): p50 ${cost.p50.toFixed(1)} ms, ${cost.perSecond.toFixed(1)}/s\n`,
      );
    }
}

/** As many runs as the series has seconds for, after a warm-up of a third of it. */
async function costOf(peer: Peer, callers: number): Promise<Cost> {
  const first = await peer.run(callers, callers);
  const runsFor = (seconds: number) => Math.max(LEAST_RUNS * callers, Math.ceil(first.perSecond * seconds));
  await peer.run(runsFor(Number(options.seconds) / 3), callers);
  const before = await machineCpuMs();
  const measured = await peer.run(runsFor(Number(options.seconds)), callers);
  return { ...measured, cpuMs: ((await machineCpuMs()) - before) / measured.iterations };
}

function tableOfCosts(): string {
  const bare = (callers: number) => costs.find(({ concurrency }) => concurrency === callers)!;
  return tableOf(
    ['way', 'callers', 'p50 ms', 'above bare', 'p99 ms', 'per second', 'of bare', 'CPU ms a run', 'success'],
    costs.map(({ name, concurrency, p50, p99, perSecond, cpuMs, success }) => [
      name,
      concurrency,
      p50.toFixed(2),
      `${(p50 - bare(concurrency).p50).toFixed(1)} ms`,
      p99.toFixed(2),
      perSecond.toFixed(2),
      `${((perSecond / bare(concurrency).perSecond) * 100).toFixed(0)} %`,
      cpuMs.toFixed(1),
      `${(success * 100).toFixed(0)} %`,
    ]),
  );
}

function dotsOf({ name: row, concurrency, p50, perSecond, cpuMs }: Cost): Dot[] {
  const colour = String(concurrency);
  return [
    { row, panel: 'p50, ms', colour, value: p50 },
    { row, panel: 'programs a second', colour, value: perSecond },
    { row, panel: 'CPU of the machine, ms a program', colour, value: cpuMs },
  ];
}
