import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { DrydockError } from '#libs/errors.ts';
import type { EndedReason } from '../backend.ts';
import { TEMPLATE_LABEL } from './pod.ts';

// Reasons of a kubelet for a container that never starts.
const NO_IMAGE = new Set(['ErrImageNeverPull', 'ErrImagePull', 'ImagePullBackOff', 'InvalidImageName']);
const NO_START = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);

/** Whether its container runs and the pod is not being deleted. */
export function isRunning({ metadata, status }: V1Pod): boolean {
  return status?.phase === 'Running' && !metadata?.deletionTimestamp && !!status.containerStatuses?.[0]?.state?.running;
}

/**
 * Why a pod ended without `destroy`; undefined while it has not. `isDeleted`: the pod object was deleted. A pod on a lost node has
 * ended although its kubelet cannot report that.
 */
export function endOf({ metadata, status }: V1Pod, isDeleted: boolean): EndedReason | undefined {
  const disruption = status?.conditions?.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True');
  if (metadata?.deletionTimestamp && disruption?.reason === 'DeletionByTaintManager') return 'HOST_LOST';
  const terminated = status?.containerStatuses?.[0]?.state?.terminated;
  const ended = isDeleted || terminated || status?.phase === 'Failed' || status?.phase === 'Succeeded';
  // Containers of an evicted pod end before the pod is deleted.
  if (status?.reason === 'Evicted' || (ended && disruption)) return 'EVICTED';
  if (terminated?.reason === 'OOMKilled') return 'OUT_OF_MEMORY';
  return ended ? 'EXITED' : undefined;
}

/** Why a starting pod can never run, as the caller's error; undefined while it still may. */
export function startFailureOf(pod: V1Pod): DrydockError | undefined {
  const { status } = pod;
  for (const each of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const why = containerFailureOf(each);
    if (why) return startFailed(templateOf(pod), why);
  }
  if (!endOf(pod, false)) return undefined;
  return startFailed(templateOf(pod), `the pod ended while it started: ${endMessageOf(pod)}`);
}

function endMessageOf({ status }: V1Pod): string {
  const ended = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
    .map(({ state, name }) => ({ name, ...state?.terminated }))
    .find(({ exitCode }) => exitCode);
  if (ended) return `container ${ended.name}: ${ended.message ?? ended.reason ?? `exit code ${ended.exitCode}`}`;
  return status?.message ?? status?.reason ?? 'the cluster gives no reason';
}

/** Why the scheduler found no node for a pod; undefined if it found one, or has not tried yet. */
export function unschedulable({ status }: V1Pod): string | undefined {
  const condition = status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  return condition && (condition.message ?? condition.reason ?? 'it fits no node');
}

export function startFailed(template: string, why: string, cause?: unknown): DrydockError {
  return new DrydockError('SANDBOX_START_FAILED', `template ${template}: ${why}`, { cause, retryAfterMs: 1_000 });
}

function containerFailureOf({ image, state, name }: V1ContainerStatus): string | undefined {
  const { reason = '', message = '' } = state?.waiting ?? {};
  if (NO_IMAGE.has(reason)) return `the cluster has no image ${image}: ${message || reason}`;
  if (NO_START.has(reason)) return `container ${name} does not start: ${message || reason}`;
  return undefined;
}

const templateOf = ({ metadata }: V1Pod) => metadata?.labels?.[TEMPLATE_LABEL] ?? '';
