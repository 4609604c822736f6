import { expect, test } from 'vitest';
import { ensureCluster } from './cluster.ts';

test('a cluster that somebody else runs is used as it is, and takes no image from here', async () => {
  await using cluster = await ensureCluster({ dataDirectory: '/nonexistent', kubeconfig: '/etc/theirs.kubeconfig' });
  expect(cluster).toMatchObject({ own: false, kubeconfig: '/etc/theirs.kubeconfig' });
  await expect(cluster.importImage('/images/python.tar', 'drydock/python:1')).rejects.toMatchObject({
    name: 'ForeignClusterError',
    message: expect.stringMatching(/theirs.kubeconfig has to have drydock\/python:1 already: push it/),
  });
});
