import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { execa } from 'execa';
import { lockDirectory } from '#libs/lock-directory.ts';
import { ensureGo } from '../build/go.ts';
import { type Child, endLeftovers, startChild, until } from '../host/child.ts';
import type { Progress } from '../host/root.ts';
import { together } from '../host/steps.ts';
import { ensureSystemPackages } from '../host/system-packages.ts';
import { LINK, NODE_NAME } from './addresses.ts';
import { type Binaries, ensureBinaries } from './binaries.ts';
import { makeCgroups, removeCgroups } from './cgroups.ts';
import { type Component, type ComponentName, componentsOf } from './components.ts';
import { writeCredentials } from './credentials.ts';
import { startNamespaces } from './namespaces.ts';
import { type ImageConfiguration, ociArchive } from './oci-archive.ts';
import { CLUSTER_NEEDS } from './packages.ts';
import { PAUSE_IMAGE, pathsOf, writeSettings } from './settings.ts';

/** One for the machine: a cluster's link and groups have fixed names. */
export const RUN_DIRECTORY = '/run/drydock-cluster';

const READY_MS = 60_000;
/** Where Debian has its programs. An image cache keeps files alone, and no environment. */
const IMAGE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export type Cluster = AsyncDisposable & {
  /** We started it, and end it. */
  own: boolean;
  /** Path of a file that lets its reader do everything. */
  kubeconfig: string;
  /**
   * Makes an image of an uncompressed tar of a root file system, as the image cache has them, and gives it to the node.
   * Pods use it by `reference` with the pull policy `Never` or `IfNotPresent`. Throws `ForeignClusterError` where the
   * cluster is not ours.
   */
  importImage(rootFilesystem: string, reference: string, signal?: AbortSignal): Promise<void>;
};

export type OwnCluster = Cluster & {
  own: true;
  /** Path of the `kubectl` that fits. */
  kubectl: string;
  /** Sends a component a signal: `SIGSTOP` and `SIGCONT` make it hang and go on. */
  signal(name: ComponentName, signal: NodeJS.Signals): void;
  /** Ends a component as a crash would, or with `SIGTERM` in good order. */
  stop(name: ComponentName, signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Starts a component that was stopped, and waits until it does its work. */
  start(name: ComponentName): Promise<void>;
};

/** Images of a cluster that somebody else runs come from where its nodes pull them. */
export class ForeignClusterError extends Error {
  override name = 'ForeignClusterError';
}

export type ClusterOptions = {
  /** Binaries are kept below it, and what a cluster keeps while it runs. */
  dataDirectory: string;
  onProgress?: Progress;
  /** Every line that a component prints. */
  onLine?: (component: string, line: string) => void;
  /** A component ended though nobody asked it to. */
  onExit?: (component: string, reason: string) => void;
  /** Ends the start, which then throws. */
  signal?: AbortSignal;
};

/** The cluster of a kubeconfig where one is given, else one of ours. */
export async function ensureCluster(
  options: ClusterOptions & { kubeconfig: string | undefined },
): Promise<OwnCluster | (Cluster & { own: false })> {
  const { kubeconfig } = options;
  if (!kubeconfig) return startCluster(options);
  return {
    own: false,
    kubeconfig,
    async importImage(_, reference) {
      throw new ForeignClusterError(
        `the cluster of ${kubeconfig} has to have ${reference} already: push it to where its nodes pull from, or unset KUBECONFIG for a cluster of our own`,
      );
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** What a start needs of this machine: Debian's packages, and binaries, whose first build takes minutes. */
export async function prepareCluster(
  dataDirectory: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<Binaries> {
  await ensureSystemPackages(progress, CLUSTER_NEEDS, signal);
  await ensureGo(progress, signal);
  return ensureBinaries(join(dataDirectory, 'cluster/bin'), progress, signal);
}

/**
 * Starts a Kubernetes of one node on this machine, with network policies enforced, and waits until pods can be made. Needs
 * root. What an earlier run left behind is ended first. Disposing leaves nothing but the built binaries.
 */
export async function startCluster(options: ClusterOptions): Promise<OwnCluster> {
  const { dataDirectory, onProgress = () => {} } = options;
  // Where a part fails, nothing of the others is waited for.
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, ...(options.signal ? [options.signal] : [])]);
  if (process.getuid?.() !== 0)
    throw new Error('a cluster needs root, for its namespaces, mounts and control groups: run this as root');
  const binaries = await prepareCluster(dataDirectory, onProgress, signal);
  await using started = new AsyncDisposableStack();
  started.use(await lockDirectory(RUN_DIRECTORY, 'another cluster of this machine'));
  await endLeftovers(RUN_DIRECTORY);
  const home = resolve(dataDirectory, 'cluster');
  const directory = join(home, 'node');
  const removeTraces = async () => {
    await removeCgroups();
    await execa('ip', ['link', 'delete', LINK.machine.name], { reject: false });
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  await removeTraces();
  started.defer(() => rm(RUN_DIRECTORY, { recursive: true, force: true }));
  started.defer(removeTraces);
  await mkdir(directory, { mode: 0o700 });
  const paths = pathsOf(directory);
  await Promise.all([writeCredentials(paths.credentials), writeSettings(directory, binaries), makeCgroups()]);
  const namespaces = await startNamespaces({
    runDirectory: RUN_DIRECTORY,
    init: join(binaries.pause, 'pause'),
    directory: home,
    onExit: (reason) => options.onExit?.('namespaces', reason),
    signal,
  });
  started.use(namespaces);
  const components = controlComponents(componentsOf(directory, binaries), namespaces.pid, { ...options, signal });
  started.use(components);
  await startNode(directory, binaries, components.start, { onProgress, signal, fail: () => failure.abort() });

  const kept = started.move();
  return {
    ...components,
    own: true,
    kubeconfig: paths.kubeconfig,
    kubectl: join(binaries.kubernetes, 'kubectl'),
    importImage: (rootFilesystem, reference, signal) =>
      importImage(paths.containerdSocket, rootFilesystem, reference, { Env: [`PATH=${IMAGE_PATH}`] }, signal),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type Control = Pick<OwnCluster, 'signal' | 'stop' | 'start'> & AsyncDisposable;

function controlComponents(
  components: Record<ComponentName, Component>,
  namespacesOf: number,
  { onLine, onExit, signal: end }: ClusterOptions,
): Control {
  const children = new Map<ComponentName, Child>();
  const find = (name: ComponentName) => {
    const child = children.get(name);
    if (!child) throw new Error(`${name} does not run`);
    return child;
  };
  return {
    signal: (name, signal) => find(name).signal(signal),
    async stop(name, signal = 'SIGTERM') {
      await find(name).stop(signal);
      children.delete(name);
    },
    async start(name) {
      if (children.get(name)?.failure() === undefined && children.has(name)) throw new Error(`${name} runs already`);
      end?.throwIfAborted();
      const { command, args, environment = {}, isReady } = components[name];
      const child = await startChild({
        name,
        runDirectory: RUN_DIRECTORY,
        command,
        args,
        // Everything is on the link, and a proxy of the machine's is not.
        environment: { NO_PROXY: '*', ...environment },
        namespacesOf,
        // Nothing of it is kept, so there is no good order to end in.
        stopSignal: 'SIGKILL',
        onLine: (line) => onLine?.(name, line),
        onExit: (reason) => onExit?.(name, reason),
      });
      children.set(name, child);
      await until(child, name, READY_MS, isReady, end);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...children.values()].map((child) => child.stop()));
    },
  };
}

/** Whatever order things come up in, nobody makes pods before the end, when policies are enforced. */
async function startNode(
  directory: string,
  binaries: Binaries,
  start: Control['start'],
  { onProgress, signal, fail }: { onProgress: Progress; signal: AbortSignal; fail: () => void },
): Promise<void> {
  // The API server waits for its store by itself.
  const runtime = start('containerd').then(() => importPause(directory, binaries, signal));
  await together([runtime, start('etcd'), start('kube-apiserver')], fail);
  onProgress('the API server answers');
  const resources = createResources(directory, binaries, signal);
  const parts = [
    start('kube-controller-manager'),
    start('kube-scheduler'),
    start('kubelet'),
    start('kube-proxy'),
    resources.then(() => start('calico-felix')),
    resources.then(() => start('coredns')),
  ];
  await together(parts, fail);
  onProgress('network policies are enforced');
  const config = new KubeConfig();
  config.loadFromFile(pathsOf(directory).kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  await until({ failure: () => undefined }, 'the node', READY_MS, () => takesPods(api), signal);
  onProgress('the node takes pods');
}

async function createResources(directory: string, binaries: Binaries, cancelSignal: AbortSignal): Promise<void> {
  const kubectl = join(binaries.kubernetes, 'kubectl');
  const common = [`--kubeconfig=${pathsOf(directory).kubeconfig}`, `--cache-dir=${join(directory, 'kubectl')}`];
  const run = (...args: string[]) => execa(kubectl, [...common, ...args], { cancelSignal });
  await run('create', '--validate=false', `--filename=${join(binaries.calico, 'crd')}`);
  await run('wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all');
  await run('create', '--validate=false', `--filename=${join(import.meta.dirname, 'cluster.yaml')}`);
}

/** A pod that is made before the account that it runs as, or while the node is marked as not ready, is refused or waits. */
async function takesPods(api: CoreV1Api): Promise<boolean> {
  try {
    const { status, spec } = await api.readNode({ name: NODE_NAME });
    if (!status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) return false;
    if (spec?.taints?.length) return false;
    await api.readNamespacedServiceAccount({ name: 'default', namespace: 'default' });
    return true;
  } catch {
    return false;
  }
}

async function importPause(directory: string, binaries: Binaries, signal: AbortSignal): Promise<void> {
  const rootFilesystem = join(directory, 'pause.tar');
  await execa('tar', ['-C', binaries.pause, '-cf', rootFilesystem, 'pause']);
  const socket = pathsOf(directory).containerdSocket;
  await importImage(socket, rootFilesystem, PAUSE_IMAGE, { Entrypoint: ['/pause'] }, signal);
}

async function importImage(
  socket: string,
  rootFilesystem: string,
  reference: string,
  config: ImageConfiguration,
  signal?: AbortSignal,
): Promise<void> {
  const archive = Readable.from(ociArchive(rootFilesystem, inFull(reference), config), { objectMode: false });
  const importing = ['--namespace=k8s.io', 'images', 'import', '-'];
  await execa('ctr', [`--address=${socket}`, ...importing], {
    input: archive,
    ...(signal && { cancelSignal: signal }),
  });
}

/** As a kubelet writes it: what a short reference leaves out is Docker Hub. */
function inFull(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  if (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')) return reference;
  return `docker.io/${rest.length > 0 ? '' : 'library/'}${reference}`;
}
