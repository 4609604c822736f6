import { type KubernetesObject, type KubernetesObjectApi, PatchStrategy, type V1Pod } from '@kubernetes/client-node';
import { pause } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { hasCode } from './api-errors.ts';
import { bindingOf, ENVIRONMENT_LABEL, FIELD_MANAGER, type NamespacePlan, sharedNamespaceOf } from './namespace.ts';
import { CONTAINER, SERVICE_ACCOUNT } from './pod.ts';

const POLL_MS = 500;
// A user of the node, and of no sandbox.
const FOREIGN_USER = 1_000;

export type ConfinementOptions = {
  objects: Pick<KubernetesObjectApi, 'create' | 'patch'>;
  /** Prefix of the names of this environment's namespaces. */
  environment: string;
  /** Ends the wait: its reason is thrown. */
  signal: AbortSignal;
  log: Logger;
};

/**
 * Waits until this executor is refused what its role alone would let it do: a namespace that is no organisation's, and its rights
 * in one. Both are tried without effect. Helm installs admission policies after pods, and no tenant may get a sandbox before they
 * hold. Errors: those of the API server.
 */
export async function untilConfined(
  options: ConfinementOptions & { binding: NonNullable<NamespacePlan['binding']> },
): Promise<void> {
  const { objects, environment, binding } = options;
  const attempts = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: `${environment}-unconfined`, labels: { [ENVIRONMENT_LABEL]: environment } },
    },
    bindingOf('default', binding),
  ];
  const apply = (object: KubernetesObject) =>
    objects.patch(object, undefined, 'All', FIELD_MANAGER, true, PatchStrategy.ServerSideApply);
  await untilRefused(options, () => attempts.map(apply));
}

/** Waits in the same way until it is refused a pod in the shared namespace, which exists, with a user that is no sandbox's. */
export async function untilPodsConfined(options: ConfinementOptions): Promise<void> {
  const { objects, environment } = options;
  const pod = foreignPod(`${environment}-unconfined`, sharedNamespaceOf(environment));
  await untilRefused(options, () => [objects.create(pod, undefined, 'All', FIELD_MANAGER)]);
}

async function untilRefused({ signal, log }: ConfinementOptions, attempt: () => Promise<unknown>[]): Promise<void> {
  const isAllowed = (attempted: Promise<unknown>) =>
    attempted.then(
      () => true,
      (error) => {
        if (!hasCode(error, 403)) throw error;
        return false;
      },
    );
  for (let tries = 0; (await Promise.all(attempt().map(isAllowed))).includes(true); tries++) {
    if (tries === 0) log.warn('no admission policies confine this executor yet; waiting for those of the chart');
    await pause(POLL_MS, signal);
    signal.throwIfAborted();
  }
}

/** It passes Pod Security `restricted`, which would refuse it for another reason. */
function foreignPod(name: string, namespace: string): V1Pod & KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      serviceAccountName: SERVICE_ACCOUNT,
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: FOREIGN_USER,
        runAsGroup: FOREIGN_USER,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: CONTAINER,
          image: name,
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
}
