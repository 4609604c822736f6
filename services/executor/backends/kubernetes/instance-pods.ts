import type { CoreV1Api, V1Pod } from '@kubernetes/client-node';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { type InstancePlan, takenOver } from '../backend.ts';
import { eachOf } from '../each-of.ts';
import { hasCode, refusalOf } from './api-errors.ts';
import type { Namespaces } from './namespaces.ts';
import { noteOn } from './notes.ts';
import { EXECUTOR_LABEL, INSTANCE_LABEL, nameOf, type Placement, podFor } from './pod.ts';
import { endOf, isRunning, startFailed, startFailureOf, unschedulable } from './pod-state.ts';
import type { PodUsers } from './pod-users.ts';
import { listPods, type Pods } from './pods.ts';

const START_MS = 20_000;
const DELETE_MS = 30_000;
const LATE = 'its pod did not start in time';

/** The pods of this executor's instances. */
export type InstancePods = {
  api: CoreV1Api;
  pods: Pods;
  namespaces: Namespaces;
  /** The namespace that organisations share. */
  shared: string;
  /** Namespaces by instance. */
  namespaceOf: Map<string, string>;
  /** Instances that this executor is deleting: their end is no news. */
  deleting: Set<string>;
  placement: Omit<Placement, 'namespace' | 'user'>;
  users: PodUsers;
  log: Logger;
};

export const instanceOf = ({ metadata }: V1Pod) => metadata?.labels?.[INSTANCE_LABEL] ?? '';

export function isOwn({ placement }: InstancePods, { metadata }: V1Pod): boolean {
  return metadata?.labels?.[EXECUTOR_LABEL] === placement.executorId;
}

/** Creates a pod and waits until it runs. Errors: SANDBOX_START_FAILED, NO_CAPACITY; the pod is deleted then. */
export async function createPod(own: InstancePods, plan: InstancePlan, signal: AbortSignal): Promise<void> {
  await own.users.withUser(async (user) => {
    try {
      await submit(own, plan, user).catch((error) => {
        throw refusalOf(plan.template, error);
      });
      await untilRunning(own, plan, signal);
    } catch (error) {
      await destroyPod(own, plan.instanceId).catch((cause) =>
        own.log.warn({ err: cause }, 'failed to remove a pod that did not start'),
      );
      throw error;
    }
  });
}

async function submit(
  { api, namespaces, namespaceOf, placement }: InstancePods,
  plan: InstancePlan,
  user: number | null,
): Promise<void> {
  const namespace = await namespaces.of(plan.tenant);
  namespaceOf.set(plan.instanceId, namespace);
  const body = podFor(plan, { ...placement, namespace, user });
  await api.createNamespacedPod({ namespace, body }).catch(async (error) => {
    // Another executor or an operator has removed the namespace, and with it this executor's rights there.
    if (!hasCode(error, 403, 404) || !plan.tenant || (await namespaces.exists(namespace))) throw error;
    await namespaces.forget(namespace);
    await namespaces.of(plan.tenant);
    await api.createNamespacedPod({ namespace, body });
  });
}

async function untilRunning(
  own: InstancePods,
  { instanceId, template }: InstancePlan,
  signal: AbortSignal,
): Promise<void> {
  const name = nameOf(instanceId);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  const outcome = (pod: V1Pod | undefined) => pod && (isRunning(pod) ? 'running' : startFailureOf(pod));
  const result = await own.pods.until(name, outcome, limit).catch(async (error) => {
    if (signal.aborted) throw error;
    // A watch that lags may not have told yet that it runs, or why it is late.
    const pod = await readPod(own, instanceId).catch((cause) => {
      throw startFailed(template, LATE, cause);
    });
    return outcome(pod) ?? lateBecause(template, pod);
  });
  if (result !== 'running') throw result;
}

/** Deletes a pod and waits until it is deleted. Errors: SERVICE_UNAVAILABLE if another executor has taken it over. */
export async function destroyPod(own: InstancePods, instanceId: string): Promise<void> {
  const { pods, namespaceOf, deleting } = own;
  const namespace = namespaceOf.get(instanceId);
  if (!namespace) return;
  deleting.add(instanceId);
  try {
    await deletePod(own, instanceId, namespace);
    const isDeleted = (pod: V1Pod | undefined) => (pod ? undefined : true);
    await pods.until(nameOf(instanceId), isDeleted, AbortSignal.timeout(DELETE_MS));
  } catch (error) {
    if (!hasCode(error, 404)) throw error;
  }
  namespaceOf.delete(instanceId);
  deleting.delete(instanceId);
}

/** Deletes a pod only in the version that is known here: a newer one may belong to another executor. */
async function deletePod(own: InstancePods, instanceId: string, namespace: string): Promise<void> {
  const { api, pods } = own;
  const name = nameOf(instanceId);
  const readAgain = () => readPod(own, instanceId);
  for (let pod = pods.get(name) ?? (await readAgain()); isOwn(own, pod); pod = await readAgain()) {
    const preconditions = { resourceVersion: pod.metadata?.resourceVersion ?? '' };
    // The kubelet of a lost node cannot confirm a graceful deletion. If the node comes back, its kubelet ends the containers.
    const isLost = endOf(pod, false) === 'HOST_LOST';
    const body = { preconditions, ...(isLost ? { gracePeriodSeconds: 0 } : {}) };
    try {
      return void (await api.deleteNamespacedPod({ namespace, name, body }));
    } catch (error) {
      if (!hasCode(error, 409)) throw error;
    }
  }
  throw takenOver();
}

/** Reads a pod into the cache, whose listeners so learn if another executor has taken it over. */
async function readPod({ api, pods, namespaceOf, shared }: InstancePods, instanceId: string): Promise<V1Pod> {
  const namespace = namespaceOf.get(instanceId) ?? shared;
  const pod = await api.readNamespacedPod({ namespace, name: nameOf(instanceId) });
  pods.learn(pod);
  return pod;
}

/** Every pod of an executor, in all namespaces of the environment. */
export async function listPodsOf({ api, namespaces }: InstancePods, executorId: string): Promise<V1Pod[]> {
  const found: V1Pod[] = [];
  await eachOf(await namespaces.list(), async (name) => {
    found.push(...(await listPods(api, name, `${EXECUTOR_LABEL}=${executorId}`)).items);
  });
  return found;
}

/** Every instance of this executor. Reads those that the listing lacks: they may have been taken over. */
export async function listInstances(own: InstancePods) {
  const { namespaceOf, deleting, shared, placement } = own;
  const found = await listPodsOf(own, placement.executorId);
  const listed = new Set(found.map(instanceOf));
  const missing = [...namespaceOf.keys()].filter((instanceId) => !listed.has(instanceId) && !deleting.has(instanceId));
  await eachOf(missing, async (instanceId) => {
    await readPod(own, instanceId).catch((error) => {
      if (!hasCode(error, 404)) throw error;
    });
  });
  return found.map((pod) => {
    const instanceId = instanceOf(pod);
    namespaceOf.set(instanceId, pod.metadata?.namespace ?? shared);
    return { instanceId, running: isRunning(pod), note: noteOn(pod) };
  });
}

/** The error of a pod that did not start in time. */
function lateBecause(template: string, pod: V1Pod): DrydockError {
  const why = unschedulable(pod);
  if (why)
    return new DrydockError('NO_CAPACITY', `the cluster has no room for a sandbox: ${why}`, { retryAfterMs: 2_000 });
  return startFailed(template, LATE);
}
