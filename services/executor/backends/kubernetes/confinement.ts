import { setTimeout as pause } from 'node:timers/promises';
import { type KubernetesObject, type KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node';
import type { Logger } from '#libs/log.ts';
import { hasCode } from './api-errors.ts';
import { bindingOf, ENVIRONMENT_LABEL, FIELD_MANAGER, type NamespacePlan } from './namespace.ts';

const POLL_MS = 500;

export type ConfinementOptions = {
  objects: KubernetesObjectApi;
  /** Prefix of the names of this environment's namespaces. */
  environment: string;
  binding: NonNullable<NamespacePlan['binding']>;
  log: Logger;
};

/**
 * Waits until this executor is refused what its role alone would let it do: a namespace that is no organisation's, and its rights
 * in one. Both are tried without effect. Helm installs admission policies after pods, and no tenant may get a sandbox before they
 * hold. Errors: those of the API server.
 */
export async function untilConfined({ objects, environment, binding, log }: ConfinementOptions): Promise<void> {
  const attempts = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: `${environment}-unconfined`, labels: { [ENVIRONMENT_LABEL]: environment } },
    },
    bindingOf('default', binding),
  ];
  const isAllowed = (object: KubernetesObject) =>
    objects.patch(object, undefined, 'All', FIELD_MANAGER, true, PatchStrategy.ServerSideApply).then(
      () => true,
      (error) => {
        if (!hasCode(error, 403)) throw error;
        return false;
      },
    );
  for (let tries = 0; (await Promise.all(attempts.map(isAllowed))).includes(true); tries++) {
    if (tries === 0) log.warn('no admission policies confine this executor yet; waiting for those of the chart');
    await pause(POLL_MS);
  }
}
