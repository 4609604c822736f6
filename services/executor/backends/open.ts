import type { Logger } from '#libs/log.ts';
import type { Backend } from './backend.ts';

/** What the executor's configuration says of its backend. */
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
  dockerSocket: string;
  agentBinary: string;
  seccompProfile: string;
  cellBinary: string;
  cellSeccompProfile: string;
};

/** The backend that is configured. The other one's library, which takes tens of MiB, is not loaded. */
export async function openBackend(config: BackendConfig, log: Logger): Promise<Backend> {
  if (config.backend === 'kubernetes') {
    const { createKubernetesBackend } = await import('./kubernetes/backend.ts');
    const { id: executorId, kubeconfig, namespacePrefix, agentImage, cpuOvercommit, networkIsolation } = config;
    const { kubernetesRole: role, namespaceIdleMs } = config;
    const isolated = networkIsolation === 'enforced';
    if (!isolated)
      log.warn(
        'KUBERNETES_NETWORK_ISOLATION is none: sandboxes are given out though nobody checks what they can reach',
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
      log,
    });
  }
  const { createDockerBackend } = await import('./docker/backend.ts');
  return createDockerBackend({
    socket: config.dockerSocket,
    executorId: config.id,
    dataDirectory: config.dataDirectory,
    agentBinary: config.agentBinary,
    seccompProfile: config.seccompProfile,
    cellBinary: config.cellBinary,
    cellSeccompProfile: config.cellSeccompProfile,
    log,
  });
}
