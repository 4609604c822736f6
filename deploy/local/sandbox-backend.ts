import { join } from 'node:path';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { ensureCluster } from '../dev-cluster/cluster.ts';
import type { ComponentName } from '../dev-cluster/components.ts';
import { readExternal } from '../host/external.ts';
import { BUILD, type Progress } from '../host/root.ts';
import { makeAgentImage } from '../images/agent-image.ts';
import { ensureArchive, ensureImage, imageTag } from '../images/build.ts';
import { ensureEngine, removeContainers } from './engine.ts';

export const BACKENDS = ['docker', 'kubernetes'] as const;

/** What runs the sandboxes of a platform. */
export type SandboxBackend =
  /** The socket of each executor's engine, in their order; the first one is that of the others. */
  | { kind: 'docker'; sockets: [string, ...string[]] }
  | { kind: 'kubernetes'; kubeconfig: string; namespacePrefix: string; agentImage: string };

/** What the executor of an index has to be told. */
export function variablesFor(backend: SandboxBackend, index: number): Record<string, string> {
  if (backend.kind === 'docker') return { DOCKER_SOCKET: backend.sockets[index] ?? backend.sockets[0] };
  return {
    EXECUTOR_BACKEND: 'kubernetes',
    KUBECONFIG: backend.kubeconfig,
    KUBERNETES_NAMESPACE_PREFIX: backend.namespacePrefix,
    KUBERNETES_AGENT_IMAGE: backend.agentImage,
  };
}

/** Removes what executors left: those that end leave sandboxes to the ones that follow. */
export async function removeSandboxes(backend: SandboxBackend, executorIds: string[]): Promise<void> {
  if (backend.kind === 'docker') {
    for (const socket of new Set(backend.sockets)) await removeContainers(socket, executorIds);
    return;
  }
  const config = new KubeConfig();
  config.loadFromFile(backend.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const { items } = await core.listNamespace({
    labelSelector: `drydock.dev/environment=${backend.namespacePrefix}`,
  });
  for (const { metadata } of items) await core.deleteNamespace({ name: metadata?.name ?? '' });
}

export type LocalBackend = AsyncDisposable & {
  backend: SandboxBackend;
  /** In a word or two. */
  description: string;
  /** Makes sure that sandboxes can be made of an image. `tell` hears each step of its making. */
  ensureImage(name: string, tell: Progress): Promise<unknown>;
  /** The process whose end is that of all others of its kind, where there is one: it cannot be started again by itself. */
  foundation?: string;
  /** Starts one of its processes again after that ended by itself. */
  restart(process: string): Promise<void>;
};

export type LocalBackendOptions = {
  dataDirectory: string;
  runDirectory: string;
  imageCache: string;
  /** Ends what is being built or waited for. */
  signal: AbortSignal;
  tell: Progress;
  onLine: (process: string, line: string) => void;
  onExit: (process: string, reason: string) => void;
};

/** The one that is there, by `DOCKER_HOST` or `KUBECONFIG` or by itself; else one of ours. */
export function openLocalBackend(kind: SandboxBackend['kind'], options: LocalBackendOptions): Promise<LocalBackend> {
  return kind === 'docker' ? openEngine(options) : openCluster(options);
}

async function openEngine({ dataDirectory, runDirectory, ...options }: LocalBackendOptions): Promise<LocalBackend> {
  const { imageCache: cacheDirectory, signal } = options;
  const engine = await ensureEngine({
    dataDirectory,
    runDirectory,
    dockerHost: readExternal(process.env).dockerHost,
    signal,
    onLine: (line) => options.onLine('dockerd', line),
    onExit: (reason) => options.onExit('dockerd', reason),
  });
  return {
    backend: { kind: 'docker', sockets: [engine.socket] },
    description: engine.own ? 'one of its own' : engine.socket,
    ensureImage: (name, onProgress) =>
      ensureImage(name, { dockerSocket: engine.socket, cacheDirectory, signal, onProgress }),
    restart: () => engine.restart(),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

async function openCluster({ dataDirectory, ...options }: LocalBackendOptions): Promise<LocalBackend> {
  const { imageCache: cacheDirectory, signal, tell, onLine, onExit } = options;
  const { kubeconfig } = readExternal(process.env);
  await using started = new AsyncDisposableStack();
  const cluster = started.use(
    await ensureCluster({ dataDirectory, kubeconfig, signal, onProgress: tell, onLine, onExit }),
  );
  const agent = await makeAgentImage(join(BUILD, 'bin/drydock-agent'), BUILD);
  // A cluster that is not ours has its images from a registry.
  if (cluster.own) await cluster.importImage(agent.archive, agent.tag, signal);
  const kept = started.move();
  return {
    backend: {
      kind: 'kubernetes',
      kubeconfig: cluster.kubeconfig,
      namespacePrefix: 'drydock-local',
      agentImage: agent.tag,
    },
    description: cluster.own ? 'one of its own' : cluster.kubeconfig,
    async ensureImage(name, onProgress) {
      if (!cluster.own) return;
      const archive = await ensureArchive(name, { cacheDirectory, signal, onProgress });
      await cluster.importImage(archive, await imageTag(name), signal);
    },
    foundation: 'namespaces',
    async restart(name) {
      if (cluster.own) await cluster.start(name as ComponentName);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
