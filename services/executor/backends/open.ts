import type { Logger } from '#libs/log.ts';
import type { UserIds } from '#libs/user-ids.ts';
import type { Backend } from './backend.ts';

/** The part of the executor's configuration that concerns its backend. */
export type BackendConfig = {
  id: string;
  backend: 'docker' | 'kubernetes';
  dataDirectory: string;
  kubeconfig: string | undefined;
  namespacePrefix: string;
  namespaceIdleMs: number;
  kubernetesRole: string | undefined;
  networkIsolation: 'enforced' | 'none';
  cpuOvercommit: number;
  agentImage: string;
  hostUsers: boolean;
  userIds: UserIds;
  dockerSocket: string;
  agentBinary: string;
  seccompProfile: string;
  cellBinary: string;
  cellSeccompProfile: string;
};

/**
 * Opens the configured backend for at most `maxInstances` at one time. Does not load the library of the other one, which takes tens
 * of MiB. Throws the signal's reason if that is aborted while the executor waits to be confined.
 */
export async function openBackend(
  config: BackendConfig,
  maxInstances: number,
  signal: AbortSignal,
  log: Logger,
): Promise<Backend> {
  if (config.backend === 'kubernetes') {
    const { createKubernetesBackend } = await import('./kubernetes/backend.ts');
    const { id: executorId, kubeconfig, namespacePrefix, agentImage, cpuOvercommit, networkIsolation } = config;
    const { kubernetesRole: role, namespaceIdleMs } = config;
    const isolated = networkIsolation === 'enforced';
    if (!isolated)
      log.warn(
        'KUBERNETES_NETWORK_ISOLATION is none: sandboxes are given out without a test of their network isolation',
      );
    return createKubernetesBackend({
      executorId,
      kubeconfig,
      namespacePrefix,
      role,
      namespaceIdleMs,
      agentImage,
      cpuOvercommit,
      isolated,
      userIds: config.userIds,
      hostUsers: config.hostUsers,
      maxInstances,
      signal,
      log,
    });
  }
  const { openDockerBackend } = await import('./docker/backend.ts');
  return openDockerBackend({
    socket: config.dockerSocket,
    executorId: config.id,
    dataDirectory: config.dataDirectory,
    userIds: config.userIds,
    maxInstances,
    agentBinary: config.agentBinary,
    seccompProfile: config.seccompProfile,
    cellBinary: config.cellBinary,
    cellSeccompProfile: config.cellSeccompProfile,
    log,
  });
}
