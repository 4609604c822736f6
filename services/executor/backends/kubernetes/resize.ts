import {
  type CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Pod,
  type V1PodCondition,
  type V1ResourceRequirements,
} from '@kubernetes/client-node';
// The library does not export it.
import { quantityToScalar } from '@kubernetes/client-node/dist/util.js';
import { DrydockError } from '#libs/errors.ts';
import { hasCode, messageOf } from './api-errors.ts';
import { CONTAINER, nameOf } from './pod.ts';
import type { Pods } from './pods.ts';

const RESIZE_MS = 10_000;
const RETRY_AFTER_MS = 1_000;
const CHANGED = ['cpu', 'memory'] as const;

type Resources = Pick<V1ResourceRequirements, 'limits' | 'requests'>;

/** Whether the cluster can resize running pods: Kubernetes since 1.33. */
export async function canResize(api: CoreV1Api): Promise<boolean> {
  const { resources } = await api.getAPIResources();
  return resources.some(({ name }) => name === 'pods/resize');
}

/**
 * Resizes CPU and memory of a running pod, and waits for its node. False if the pod uses more memory than the new limit. Errors:
 * NO_CAPACITY if its node has too little, SANDBOX_STOPPED if the pod ends meanwhile, SERVICE_UNAVAILABLE.
 */
export async function resizePod(
  { api, pods, namespace }: { api: CoreV1Api; pods: Pods; namespace: string | undefined },
  instanceId: string,
  resources: Resources,
): Promise<boolean> {
  const name = nameOf(instanceId);
  if (!namespace) throw stopped();
  const wanted = { limits: only(resources.limits), requests: only(resources.requests) };
  const before = pods.get(name);
  if (before && hasResources(before, wanted) && wants(before, wanted)) return true;
  const body = { spec: { containers: [{ name: CONTAINER, resources: wanted }] } };
  const merging = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch);
  const { metadata } = await api.patchNamespacedPodResize({ namespace, name, body }, merging).catch((error) => {
    throw hasCode(error, 404) ? stopped(error) : refused(error);
  });
  const asked = metadata?.generation ?? 0;
  const outcome = (pod: V1Pod | undefined) => outcomeOf(pod, wanted, asked);
  const result = await pods.until(name, outcome, AbortSignal.timeout(RESIZE_MS)).catch(refused);
  if (result instanceof DrydockError) throw result;
  return result;
}

/** The outcome of a resize; undefined while the node works on it. */
function outcomeOf(pod: V1Pod | undefined, wanted: Resources, asked: number): boolean | DrydockError | undefined {
  if (!pod || pod.metadata?.deletionTimestamp) return stopped();
  if (hasResources(pod, wanted)) return true;
  const condition = (type: string) => pod.status?.conditions?.find((each) => isTrue(each, type, asked));
  const pending = condition('PodResizePending');
  if (pending)
    return new DrydockError('NO_CAPACITY', `the sandbox's node has no room for its limits: ${pending.message}`, {
      retryAfterMs: RETRY_AFTER_MS,
    });
  return condition('PodResizeInProgress')?.reason === 'Error' ? false : undefined;
}

function isTrue({ type, status, observedGeneration = Infinity }: V1PodCondition, name: string, since: number): boolean {
  return type === name && status === 'True' && observedGeneration >= since;
}

function hasResources({ status }: V1Pod, wanted: Resources): boolean {
  const { resources, allocatedResources } = status?.containerStatuses?.find(({ name }) => name === CONTAINER) ?? {};
  return same(resources?.limits, wanted.limits) && same(allocatedResources, wanted.requests);
}

/** Whether no other resize is pending. */
function wants({ spec }: V1Pod, wanted: Resources): boolean {
  const { resources } = spec?.containers.find(({ name }) => name === CONTAINER) ?? {};
  return same(resources?.limits, wanted.limits) && same(resources?.requests, wanted.requests);
}

function same(are: Record<string, string> | undefined, wanted: Record<string, string> | undefined): boolean {
  return CHANGED.every((name) => scalarOf(are?.[name]) === scalarOf(wanted?.[name]));
}

function only(quantities: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(CHANGED.map((name) => [name, quantities[name] ?? '0']));
}

const scalarOf = (quantity: string | undefined) =>
  quantity === undefined ? undefined : Number(quantityToScalar(quantity));

function stopped(cause?: unknown): DrydockError {
  return new DrydockError('SANDBOX_STOPPED', 'the sandbox ended while its limits were changed', { cause });
}

function refused(cause: unknown): DrydockError {
  const message = `the limits of the sandbox could not be changed: ${messageOf(cause)}`;
  return new DrydockError('SERVICE_UNAVAILABLE', message, { cause, retryAfterMs: RETRY_AFTER_MS });
}
