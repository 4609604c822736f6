import type { V1Pod, V1PodStatus } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { endOf, isRunning, startFailureOf, unschedulable } from './pod-state.ts';

const podWith = (status: V1PodStatus, metadata: V1Pod['metadata'] = {}): V1Pod => ({
  metadata: { labels: { 'drydock.dev/template': 'python' }, ...metadata },
  status,
});
const container = (state: object, name = 'sandbox') => ({
  name,
  image: 'drydock/python:1',
  imageID: '',
  ready: false,
  restartCount: 0,
  state,
});
const terminated = (reason: string, exitCode: number) =>
  podWith({ phase: 'Failed', containerStatuses: [container({ terminated: { reason, exitCode } })] });

describe('why a pod ended', () => {
  test.each([
    ['it runs', podWith({ phase: 'Running', containerStatuses: [container({ running: {} })] }), false, undefined],
    ['its node has not begun it', podWith({ phase: 'Pending' }), false, undefined],
    ['out of memory', terminated('OOMKilled', 137), false, 'OUT_OF_MEMORY'],
    ['its agent ended', terminated('Error', 137), false, 'EXITED'],
    ['somebody deleted it', podWith({ phase: 'Running' }), true, 'EXITED'],
    ['its node needed room', podWith({ phase: 'Failed', reason: 'Evicted' }), false, 'EVICTED'],
    [
      'somebody evicted it',
      podWith({ phase: 'Running', conditions: [{ type: 'DisruptionTarget', status: 'True' }] }),
      true,
      'EVICTED',
    ],
    [
      'its node was lost',
      podWith(
        {
          phase: 'Running',
          conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' }],
        },
        { deletionTimestamp: new Date() },
      ),
      false,
      'HOST_LOST',
    ],
  ])('%s', (_, pod, isDeleted, reason) => {
    expect(endOf(pod, isDeleted)).toBe(reason);
  });
});

test('a pod that is being deleted does not run any more', () => {
  const status = { phase: 'Running', containerStatuses: [container({ running: {} })] };
  expect(isRunning(podWith(status))).toBe(true);
  expect(isRunning(podWith(status, { deletionTimestamp: new Date() }))).toBe(false);
});

describe('why a starting pod can never run', () => {
  test.each([
    ['ErrImageNeverPull', 'the cluster has no image drydock/python:1'],
    ['ImagePullBackOff', 'the cluster has no image drydock/python:1'],
    ['RunContainerError', 'container sandbox does not start'],
  ])('%s', (reason, message) => {
    const pod = podWith({ phase: 'Pending', containerStatuses: [container({ waiting: { reason } })] });
    expect(startFailureOf(pod)).toMatchObject({
      reason: 'SANDBOX_START_FAILED',
      message: expect.stringContaining(message),
    });
  });

  test('an init container counts as well', () => {
    const pod = podWith({
      phase: 'Pending',
      initContainerStatuses: [
        container({ waiting: { reason: 'CreateContainerError', message: 'no command' } }, 'agent'),
      ],
    });
    expect(startFailureOf(pod)?.message).toContain('container agent does not start: no command');
  });

  test('a container that could not be started says why', () => {
    const terminated = { exitCode: 128, reason: 'StartError', message: 'failed to load: permission denied' };
    const pod = podWith({ phase: 'Failed', containerStatuses: [container({ terminated })] });
    expect(startFailureOf(pod)?.message).toContain('container sandbox: failed to load: permission denied');
  });

  test('one that is only slow is no failure', () => {
    const pod = podWith({
      phase: 'Pending',
      containerStatuses: [container({ waiting: { reason: 'PodInitializing' } })],
    });
    expect(startFailureOf(pod)).toBeUndefined();
  });

  test('a node', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }];
    expect(unschedulable(podWith({ phase: 'Pending', conditions }))).toBe('0/1 nodes are available');
  });
});
