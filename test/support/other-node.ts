import { CoordinationV1Api, CoreV1Api, V1MicroTime } from '@kubernetes/client-node';
import { every } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { adminConfig, apply } from './rights.ts';

const NAME = 'elsewhere';
const LEASES = 'kube-node-lease';
const LEASE_SECONDS = 40;
const RENEW_MS = 5_000;

/**
 * A node that takes no pods, as the cluster sees one that lives, until disposed. With it another one may be lost: where all are
 * silent, Kubernetes takes itself for cut off and gives up nothing.
 */
export async function keepOtherNode(): Promise<AsyncDisposable> {
  const config = adminConfig();
  const core = config.makeApiClient(CoreV1Api);
  const now = new Date();
  const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now };
  await core.createNode({
    body: { metadata: { name: NAME }, spec: { unschedulable: true }, status: { conditions: [ready] } },
  });
  const renew = () => {
    const spec = { holderIdentity: NAME, leaseDurationSeconds: LEASE_SECONDS, renewTime: new V1MicroTime() };
    const metadata = { name: NAME, namespace: LEASES };
    return apply(config, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec } as object);
  };
  await renew();
  const renewal = every(RENEW_MS, createLogger('test'), renew);
  return {
    async [Symbol.asyncDispose]() {
      await renewal[Symbol.asyncDispose]();
      await config.makeApiClient(CoordinationV1Api).deleteNamespacedLease({ namespace: LEASES, name: NAME });
      await core.deleteNode({ name: NAME });
    },
  };
}
