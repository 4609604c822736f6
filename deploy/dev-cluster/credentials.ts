import { createPublicKey } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Credential, createAuthority } from '#libs/certificates/authority.ts';
import { API_PORT, LINK, NODE_NAME, SERVICES } from './addresses.ts';

/** Who calls the API server, and as whom; `admin` may do everything, `kubelet` what concerns its own node. */
const CALLERS = {
  admin: 'O=system:masters,CN=admin',
  'kube-controller-manager': 'CN=system:kube-controller-manager',
  'kube-scheduler': 'CN=system:kube-scheduler',
  'kube-proxy': 'CN=system:kube-proxy',
  kubelet: `O=system:nodes,CN=system:node:${NODE_NAME}`,
  'calico-felix': 'CN=calico-felix',
  calico: 'CN=calico',
  coredns: 'CN=coredns',
};

/**
 * Writes into a directory, for its owner alone, `<name>.pem` and `<name>-key.pem` of every server and of both authorities,
 * the key that signs service accounts' tokens, and `<caller>.kubeconfig` of every caller. Made anew for every cluster.
 */
export async function writeCredentials(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const save = async (name: string, { certificate, key }: Credential) => {
    await writeFile(join(directory, `${name}.pem`), certificate);
    await writeFile(join(directory, `${name}-key.pem`), key, { mode: 0o600 });
  };
  const authority = await createAuthority('drydock cluster');
  await save('authority', authority);
  const ip = [LINK.node.address];
  const dns = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  await save('kube-apiserver', await authority.issue('CN=kube-apiserver', { dns, ip: [...ip, SERVICES.api] }));
  await save('kubelet', await authority.issue(`O=system:nodes,CN=system:node:${NODE_NAME}`, { ip }));
  await save('kubelet-client', await authority.issue('O=drydock:kubelet-callers,CN=kube-apiserver'));
  for (const [name, subject] of Object.entries(CALLERS)) {
    const config = kubeconfigOf(await authority.issue(subject), authority.certificate);
    await writeFile(join(directory, `${name}.kubeconfig`), config, { mode: 0o600 });
  }

  // A certificate of etcd's authority lets its holder read every secret, so that authority signs no other caller's.
  const store = await createAuthority('drydock cluster store');
  await save('store-authority', store);
  await save('etcd', await store.issue('CN=etcd', { ip: ['127.0.0.1'] }));
  await save('etcd-client', await store.issue('CN=kube-apiserver'));

  const { key } = await createAuthority('service accounts');
  await writeFile(join(directory, 'service-accounts-key.pem'), key, { mode: 0o600 });
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' });
  await writeFile(join(directory, 'service-accounts.pem'), publicKey);
}

/** JSON, which is YAML. Everything is in it, so that it can be copied. */
function kubeconfigOf({ certificate, key }: Credential, authority: string): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const name = 'drydock';
  const cluster = {
    server: `https://${LINK.node.address}:${API_PORT}`,
    'certificate-authority-data': base64(authority),
  };
  const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  return JSON.stringify(config, null, 2);
}
