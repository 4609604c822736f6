import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { AUDIENCE, reviewTokens } from '../../services/auth/token-review.ts';
import { connectCluster } from '../support/cluster.ts';

const namespace = 'drydock-token-review';
const POD = 'drydock-executor-0';
const { core } = connectCluster();

/** The ServiceAccounts `executor` and `other`, each with a pod that is never scheduled. */
beforeAll(async () => {
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  for (const [serviceAccountName, name] of [
    ['executor', POD],
    ['other', 'other-0'],
  ] as const) {
    await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: serviceAccountName } } });
    const containers = [{ name: 'none', image: 'none.invalid/none' }];
    const spec = { serviceAccountName, schedulingGates: [{ name: 'drydock.dev/never' }], containers };
    await core.createNamespacedPod({ namespace, body: { metadata: { name }, spec } });
  }
});
afterAll(() => core.deleteNamespace({ name: namespace }));

const review = reviewTokens(`${namespace}/executor`, inject('cluster').kubeconfig);

async function tokenOf(name: string, pod?: string, audience = AUDIENCE): Promise<string> {
  const bound = pod ? { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } } : {};
  const body = { spec: { audiences: [audience], expirationSeconds: 600, ...bound } };
  const { status } = await core.createNamespacedServiceAccountToken({ namespace, name, body });
  return status!.token!;
}

const refused = (message: RegExp) => ({
  reason: 'CREDENTIAL_INVALID',
  message: expect.stringMatching(message),
  details: { metadata: { problem: 'SERVICE_ACCOUNT_REFUSED' } },
});

test('a token of the executors’ account names the pod that it was made for', async () => {
  expect(await review(await tokenOf('executor', POD))).toBe(POD);
});

test.each<[string, () => Promise<string>, RegExp]>([
  ['of another account', () => tokenOf('other', 'other-0'), /not of the ServiceAccount drydock-token-review\/executor/],
  ['for another audience', () => tokenOf('executor', POD, 'vault'), /does not take the token for the audience/],
  ['for the API server', () => tokenOf('executor', POD, 'https://kubernetes.default.svc'), /does not take the token/],
  ['of no pod', () => tokenOf('executor'), /not bound to a pod/],
  ['that nobody signed', async () => `${(await tokenOf('executor', POD)).slice(0, -8)}AAAAAAAA`, /does not take/],
  ['that is none', async () => 'garbage', /does not take the token/],
])('a token %s is refused', async (_, token, message) => {
  await expect(review(await token())).rejects.toMatchObject(refused(message));
});

test('a token of a pod that is gone is refused', async () => {
  const token = await tokenOf('other', 'other-0');
  const others = reviewTokens(`${namespace}/other`, inject('cluster').kubeconfig);
  expect(await others(token)).toBe('other-0');
  await core.deleteNamespacedPod({ namespace, name: 'other-0', gracePeriodSeconds: 0 });
  await expect.poll(() => others(token).catch(({ reason }) => reason), { timeout: 30_000 }).toBe('CREDENTIAL_INVALID');
});
