import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { execa } from 'execa';
import type { Template } from '#libs/catalog/catalog.ts';
import { type OwnCluster, startCluster } from '../../deploy/dev-cluster/cluster.ts';
import { BUILD } from '../../deploy/host/root.ts';
import { makeAgentImage } from '../../deploy/images/agent-image.ts';
import { ensureArchive, imageTag } from '../../deploy/images/build.ts';
import { clusterVariables, connectCluster, observeCluster } from '../integration/executor/cluster.ts';
import { CALLER, MiB, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { DATA_DIRECTORY, prepareMachine } from './machine.ts';
import { type Measured, measure, measureArrivals } from './measure.ts';
import { startPod } from './pods.ts';
import type { Aim } from './ratios.ts';
import { atLeast, atMost, recorder, report } from './report.ts';

const TRUE = ['/usr/bin/true'];
const PYTHON = ['/usr/bin/python3', '-c', 'print(1)'];
const ARRIVALS_PER_SECOND = 45;
const POLL_MS = 200;
const POD_POLL_MS = 20;
const GiB = 1024 * MiB;
// Small enough that a node of a few cores holds hundreds.
const SMALL = { memoryBytes: 96 * MiB, diskBytes: 16 * MiB, processes: 64, cpus: 1 };

const command = new Command('npm run bench:kubernetes --')
  .description(
    'Measures claims of warm pods and commands in them, against pods and kubectl alone, on a cluster of its own.',
  )
  .option('--json <file>', 'also write every figure to a file')
  .option(
    '--pods <number>',
    'warm pods: a burst claims all of them, arrivals 45 a second as many (300 where the node allows it)',
    '150',
  )
  .parse();
const { json, ...counts } = command.opts<{ json?: string; pods: string }>();
const pods = Number(counts.pods);

await using _machine = await prepareMachine();
await using cluster = await startCluster({
  dataDirectory: DATA_DIRECTORY,
  onProgress: (line) => process.stderr.write(`${line}\n`),
});
await giveImages(cluster);
const { series, record } = recorder();
const aims: Aim[] = [];
await commands();
await claims();
await writes();
await report(series, aims, json);

async function giveImages({ importImage }: OwnCluster): Promise<void> {
  const agent = await makeAgentImage(join(BUILD, 'bin/drydock-agent'), BUILD);
  await importImage(
    await ensureArchive('python', { cacheDirectory: process.env.IMAGE_CACHE! }),
    await imageTag('python'),
  );
  await importImage(agent.archive, agent.tag);
  process.env.AGENT_IMAGE = agent.tag;
}

/** An executor on the cluster; the pods that it leaves go with that. */
function startOnCluster(pool: Template['pool'], environment: Record<string, string> = {}): Promise<TestExecutor> {
  return startExecutor({
    pool,
    template: { limits: SMALL },
    environment: {
      ...clusterVariables(cluster.kubeconfig),
      KUBERNETES_CPU_OVERCOMMIT: '100',
      EXECUTOR_MAX_SANDBOXES: String(2 * pods),
      EXECUTOR_MEMORY_BYTES: String(100 * GiB),
      ...environment,
    },
  });
}

async function untilWarm(executor: TestExecutor, count: number): Promise<void> {
  while ((await executor.metric('executor_warm_sandboxes{')) < count) await pause(POLL_MS);
}

/** A command in a claimed pod, in a claimed container, and as `kubectl` runs one. */
async function commands(): Promise<void> {
  await using onEngine = await startExecutor();
  await using onCluster = await startOnCluster({ floor: 1, ceiling: 1 });
  const [container, pod] = [await onEngine.sandbox(), await onCluster.sandbox({}, SMALL)];
  for (const words of [TRUE, PYTHON]) {
    const what = words === TRUE ? 'true' : 'python';
    const run = async (executor: TestExecutor, sandboxId: string) => {
      const { exited } = await executor.command(sandboxId, words);
      if (exited.exitCode !== 0) throw new Error(`exit code ${exited.exitCode}`);
    };
    const series = { iterations: 200, warmUp: 20 };
    const inContainer = await record(
      measure({ ...series, name: `${what} in a claimed container`, once: () => run(onEngine, container) }),
    );
    const inPod = await record(
      measure({ ...series, name: `${what} in a claimed pod`, once: () => run(onCluster, pod) }),
    );
    aims.push(atMost(`${what} in a claimed pod above a container, p50`, inPod.p50 - inContainer.p50, 3, 'ms'));
    if (words !== TRUE) continue;
    const exec = await record(measureKubectl());
    aims.push(atLeast('kubectl exec / true in a claimed pod', exec.p50 / inPod.p50, 1));
  }
}

async function measureKubectl(): Promise<Measured> {
  await using pod = await startPod(cluster.kubeconfig, 'exec', ['sleep', 'infinity'], 'Running');
  const kubectl = [`--kubeconfig=${cluster.kubeconfig}`, 'exec', pod.name, '--', ...TRUE];
  return await measure({
    name: 'kubectl exec, true',
    iterations: 30,
    warmUp: 3,
    once: () => execa(cluster.kubectl, kubectl),
  });
}

/** Claims as they come in, and all at once, against a pod made for each. */
async function claims(): Promise<void> {
  await using executor = await startOnCluster({ floor: pods, ceiling: pods });
  const claimed: string[] = [];
  const once = async () => {
    const { sandboxId, warm } = await executor.claim({}, SMALL);
    claimed.push(sandboxId);
    if (!warm) throw new Error('not warm');
  };
  const emptied = async () => {
    await Promise.all(claimed.splice(0).map((sandboxId) => executor.destroy(sandboxId)));
    await untilWarm(executor, pods);
  };
  await untilWarm(executor, pods);
  const arrivals = { iterations: pods, perSecond: ARRIVALS_PER_SECOND, once };
  const steady = await record(
    measureArrivals({ name: `warm claim, ${ARRIVALS_PER_SECOND} arrivals a second`, ...arrivals }),
  );
  await emptied();
  const burst = await record(
    measure({ name: `warm claim, a burst of ${pods}`, iterations: pods, concurrency: pods, warmUp: 0, once }),
  );
  // Or the node would be busy with new warm pods while it is asked for others.
  await emptied();
  const each = await record(measure({ name: 'a pod for each request', iterations: 15, warmUp: 2, once: runInPod }));
  aims.push(
    atLeast('warm claims that succeed, arrivals', steady.success * 100, 100, '%'),
    atLeast('warm claims that succeed, burst', burst.success * 100, 100, '%'),
    atLeast('a pod for each request / warm claim', each.p50 / steady.p50, 1),
  );
}

async function runInPod(index: number): Promise<void> {
  await using _pod = await startPod(cluster.kubeconfig, `each-${index + 100}`, TRUE, 'Succeeded');
}

/** What the API server is asked to change of a pod while a claim is waited for, and from then to its end. */
async function writes(): Promise<void> {
  await using observed = await observeCluster(cluster.kubeconfig);
  await using executor = await startOnCluster({ floor: 3, ceiling: 3 }, observed.variables);
  const { nameOf } = connectCluster(cluster.kubeconfig, executor.id);
  const count = 5;
  let [whileWaiting, inAll] = [0, 0];
  for (let i = 0; i < count; i++) {
    await untilWarm(executor, 3);
    const { sandboxId } = await executor.claim({}, SMALL);
    const name = nameOf(await executor.instanceOf(sandboxId));
    const written = () => observed.requests.filter((line) => line.includes(name) && !line.startsWith('GET')).length;
    whileWaiting += written();
    await executor.executor.confirmSandbox({ sandboxId }, { caller: CALLER });
    while (written() === 0) await pause(POD_POLL_MS);
    await executor.destroy(sandboxId);
    inAll += written();
  }
  aims.push(
    atMost('writes to the API server before a claim is answered', whileWaiting / count, 0, ''),
    atMost('writes to the API server of a pod from its claim to its end', inAll / count, 2, ''),
  );
}
