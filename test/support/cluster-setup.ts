import { readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { TestProject } from 'vitest/node';
import { findCgroups } from '../../deploy/dev-cluster/cgroups.ts';
import { type OwnCluster, RUN_DIRECTORY, startCluster } from '../../deploy/dev-cluster/cluster.ts';
import { KERNEL_SETTINGS } from '../../deploy/dev-cluster/namespaces.ts';
import { commandLineOf } from '../../deploy/host/child.ts';
import { BUILD } from '../../deploy/host/root.ts';
import { makeAgentImage } from '../../deploy/images/agent-image.ts';
import { ensureArchive, imageTag } from '../../deploy/images/build.ts';

/** What tests may ask of the cluster, which another process than theirs has started. */
export type Control = Pick<OwnCluster, 'importImage' | 'signal' | 'stop' | 'start'>;

declare module 'vitest' {
  interface ProvidedContext {
    cluster: {
      kubeconfig: string;
      /** Path of the `kubectl` that fits. */
      kubectl: string;
      /** A unix socket that takes `[method, arguments]` of `Control`. */
      controlSocket: string;
    };
  }
}

const IMAGE_CACHE = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';
const DATA_DIRECTORY = process.env.DRYDOCK_DATA_DIR || '/var/lib/drydock';

/** One cluster for every file of a project. Its end fails where anything of it is left. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const lines: string[] = [];
  const settings = await kernelSettings();
  await using started = new AsyncDisposableStack();
  const cluster = await startCluster({
    dataDirectory: DATA_DIRECTORY,
    onProgress: (line) => process.stderr.write(`cluster: ${line}\n`),
    onLine(name, line) {
      lines.push(`${name} | ${line}`);
      if (lines.length > 1000) lines.shift();
      if (process.env.TEST_LOGS) process.stderr.write(`${name} | ${line}\n`);
    },
  }).catch((cause) => {
    throw new Error(`the cluster did not start\n${lines.slice(-30).join('\n')}`, { cause });
  });
  started.use(cluster);
  await giveImages(cluster);
  // For executors and the fixture that starts them.
  process.env.TEST_KUBECONFIG = cluster.kubeconfig;
  const controlSocket = join(RUN_DIRECTORY, 'control');
  const server = await serveControl(cluster, controlSocket);
  started.defer(() => void server.close());
  project.provide('cluster', { kubeconfig: cluster.kubeconfig, kubectl: cluster.kubectl, controlSocket });
  const kept = started.move();
  return async () => {
    await kept.disposeAsync();
    const left = [...(await findTraces()), ...(await kernelSettings()).filter((each) => !settings.includes(each))];
    if (left.length > 0) throw new Error(`the cluster left behind:\n${left.join('\n')}`);
  };
}

/** What sandboxes of Python are made of. */
async function giveImages(cluster: OwnCluster): Promise<void> {
  const archive = await ensureArchive('python', { cacheDirectory: IMAGE_CACHE });
  const python = await imageTag('python');
  const agent = await makeAgentImage(join(BUILD, 'bin/drydock-agent'), BUILD);
  await cluster.importImage(archive, python);
  await cluster.importImage(agent.archive, agent.tag);
  process.env.PYTHON_IMAGE = python;
  process.env.AGENT_IMAGE = agent.tag;
}

async function serveControl(cluster: Control, path: string) {
  const server = createServer(async (request, response) => {
    try {
      const [method, args] = (await json(request)) as [keyof Control, unknown[]];
      await (cluster[method] as (...args: unknown[]) => unknown)(...args);
      response.end();
    } catch (error) {
      response.writeHead(500).end((error as Error).message);
    }
  });
  // Of a run that was killed.
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return server;
}

/** What is the whole machine's, and stays as it was. */
function kernelSettings(): Promise<string[]> {
  const read = async (name: string) => `${name} ${await readFile(`/proc/sys/${name}`, 'utf8')}`;
  return Promise.all(Object.keys(KERNEL_SETTINGS).map(read));
}

/** Processes, links, mounts, groups and files of a cluster. */
async function findTraces(): Promise<string[]> {
  const node = join(DATA_DIRECTORY, 'cluster/node');
  const cache = join(DATA_DIRECTORY, 'cluster/bin');
  const processes = (await readdir('/proc'))
    .filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`)
    .map((pid) => `process ${pid} ${commandLineOf(pid).replaceAll('\0', ' ')}`)
    .filter((line) => line.includes(node) || line.includes(cache));
  const links = Object.keys(networkInterfaces()).filter((name) => /^(drydock-cluster|cali)/.test(name));
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(node));
  const directories = (await readdir(join(DATA_DIRECTORY, 'cluster'))).filter((name) => name !== 'bin');
  const running = (await readdir('/run')).filter((name) => RUN_DIRECTORY.endsWith(name));
  return [...processes, ...links, ...mounts, ...(await findCgroups()), ...directories, ...running];
}
