export const NODE_NAME = 'drydock';

/** Between the machine and the node. Of the range for measurements (RFC 2544), which no network of anybody's should use. */
export const LINK = {
  machine: { name: 'drydock-cluster', address: '198.18.244.1' },
  node: { name: 'node0', address: '198.18.244.2' },
  prefixBits: 30,
};

export const API_PORT = 6443;
/** Room for as many pods as the node may have, twice over: addresses of pods that go are free only once they are gone. */
export const PODS = { range: '10.244.0.0/23', prefixBits: 23 };
/** `cluster.yaml` says the same of `dns`, and of the node's address. */
export const SERVICES = { range: '10.96.0.0/16', api: '10.96.0.1', dns: '10.96.0.10' };
export const DOMAIN = 'cluster.local';

/** Whom Calico's plugin makes every pod's gateway. */
export const GATEWAY = '169.254.1.1';
