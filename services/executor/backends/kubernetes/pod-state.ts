import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { DrydockError } from '#libs/errors.ts';
import type { EndedReason } from '../backend.ts';
import { TEMPLATE_LABEL } from './pod.ts';

// What a kubelet says of a container that will not start by waiting.
const NO_IMAGE = new Set(['ErrImageNeverPull', 'ErrImagePull', 'ImagePullBackOff', 'InvalidImageName']);
const NO_START = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);

/** Its container runs, and nobody has asked it to end. */
export function isRunning({ metadata, status }: V1Pod): boolean {
  return status?.phase === 'Running' && !metadata?.deletionTimestamp && !!status.containerStatuses?.[0]?.state?.running;
}

/**
 * Why a pod ended by itself, or was ended by somebody else; nothing while it has not. `gone`: it was deleted. One on a node
 * that is lost has ended though nobody there can say so.
 */
export function endOf({ metadata, status }: V1Pod, gone: boolean): EndedReason | undefined {
  const disruption = status?.conditions?.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True');
  if (metadata?.deletionTimestamp && disruption?.reason === 'DeletionByTaintManager') return 'HOST_LOST';
  const terminated = status?.containerStatuses?.[0]?.state?.terminated;
  const ended = gone || terminated || status?.phase === 'Failed' || status?.phase === 'Succeeded';
  // Its containers end before it is gone, since they are told to.
  if (status?.reason === 'Evicted' || (ended && disruption)) return 'EVICTED';
  if (terminated?.reason === 'OOMKilled') return 'OUT_OF_MEMORY';
  return ended ? 'EXITED' : undefined;
}

/** What a pod that is to run is waiting for in vain, as the error that whoever asked for it gets; nothing where it may still run. */
export function startFailureOf(pod: V1Pod): DrydockError | undefined {
  const { status } = pod;
  for (const each of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const why = containerFailureOf(each);
    if (why) return startFailed(templateOf(pod), why);
  }
  if (!endOf(pod, false)) return undefined;
  return startFailed(templateOf(pod), `the pod ended while it started: ${lastWordsOf(pod)}`);
}

function lastWordsOf({ status }: V1Pod): string {
  const ended = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
    .map(({ state, name }) => ({ name, ...state?.terminated }))
    .find(({ exitCode }) => exitCode);
  if (ended) return `container ${ended.name}: ${ended.message ?? ended.reason ?? `exit code ${ended.exitCode}`}`;
  return status?.message ?? status?.reason ?? 'nobody says why';
}

/** Why a pod has no node yet; nothing where it has one, or nobody has looked. */
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
