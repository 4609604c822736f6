import { connect } from 'node:net';
import { join } from 'node:path';
import { Health, KubeConfig } from '@kubernetes/client-node';
import { API_PORT, LINK, NODE_NAME, PODS, SERVICES } from './addresses.ts';
import type { Binaries } from './binaries.ts';
import { pathsOf } from './settings.ts';

/** Every process of a cluster, by its name. */
export const COMPONENTS = [
  'containerd',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'calico-felix',
  'coredns',
  'kubelet',
  'kube-proxy',
] as const;

export type ComponentName = (typeof COMPONENTS)[number];

export type Component = {
  command: string;
  args: string[];
  environment?: Record<string, string>;
  isReady: () => Promise<boolean>;
};

/** How each component is run, and what tells that it does its work. */
// Over 70 lines: one table, an entry for each component with its arguments.
export function componentsOf(directory: string, binaries: Binaries): Record<ComponentName, Component> {
  const paths = pathsOf(directory);
  const node = LINK.node.address;
  const program = (name: string) => join(binaries.kubernetes, name);
  const credential = (name: string) => join(paths.credentials, name);
  const kubeconfig = (name: string) => credential(`${name}.kubeconfig`);
  const answersAt = (port: number, path: string) => () => answers(`http://${node}:${port}${path}`);

  return {
    containerd: {
      command: 'containerd',
      args: [`--config=${paths.containerdConfig}`, '--log-level=warn'],
      // It finds a runtime's shim by its name.
      environment: { PATH: `${binaries.gvisor}:${process.env.PATH}` },
      isReady: () => accepts({ path: paths.containerdSocket }),
    },
    etcd: {
      command: program('etcd'),
      args: [
        `--data-dir=${paths.etcd}`,
        '--listen-client-urls=https://127.0.0.1:2379',
        '--advertise-client-urls=https://127.0.0.1:2379',
        '--listen-peer-urls=http://127.0.0.1:2380',
        '--initial-advertise-peer-urls=http://127.0.0.1:2380',
        '--initial-cluster=default=http://127.0.0.1:2380',
        `--listen-metrics-urls=http://${node}:2381`,
        `--cert-file=${credential('etcd.pem')}`,
        `--key-file=${credential('etcd-key.pem')}`,
        `--trusted-ca-file=${credential('store-authority.pem')}`,
        '--client-cert-auth',
        '--log-level=warn',
        // Nothing of it outlives the machine's next start.
        '--unsafe-no-fsync',
      ],
      isReady: answersAt(2381, '/health'),
    },
    'kube-apiserver': {
      command: program('kube-apiserver'),
      args: [
        `--secure-port=${API_PORT}`,
        `--advertise-address=${node}`,
        '--etcd-servers=https://127.0.0.1:2379',
        `--etcd-cafile=${credential('store-authority.pem')}`,
        `--etcd-certfile=${credential('etcd-client.pem')}`,
        `--etcd-keyfile=${credential('etcd-client-key.pem')}`,
        `--tls-cert-file=${credential('kube-apiserver.pem')}`,
        `--tls-private-key-file=${credential('kube-apiserver-key.pem')}`,
        `--client-ca-file=${credential('authority.pem')}`,
        `--kubelet-certificate-authority=${credential('authority.pem')}`,
        `--kubelet-client-certificate=${credential('kubelet-client.pem')}`,
        `--kubelet-client-key=${credential('kubelet-client-key.pem')}`,
        // Nobody answers for the node's name.
        '--kubelet-preferred-address-types=InternalIP',
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${credential('service-accounts.pem')}`,
        `--service-account-signing-key-file=${credential('service-accounts-key.pem')}`,
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        '--allow-privileged',
        `--service-cluster-ip-range=${SERVICES.range}`,
        '--profiling=false',
      ],
      isReady: () => isApiReady(paths.kubeconfig),
    },
    'kube-controller-manager': {
      command: program('kube-controller-manager'),
      args: [
        `--kubeconfig=${kubeconfig('kube-controller-manager')}`,
        `--bind-address=${node}`,
        '--allocate-node-cidrs',
        `--cluster-cidr=${PODS.range}`,
        `--node-cidr-mask-size=${PODS.prefixBits}`,
        `--service-cluster-ip-range=${SERVICES.range}`,
        `--service-account-private-key-file=${credential('service-accounts-key.pem')}`,
        `--root-ca-file=${credential('authority.pem')}`,
        `--cluster-signing-cert-file=${credential('authority.pem')}`,
        `--cluster-signing-key-file=${credential('authority-key.pem')}`,
        '--use-service-account-credentials',
        // Held back as by default, its controllers take seconds longer to start.
        '--kube-api-qps=200',
        '--kube-api-burst=400',
        '--leader-elect=false',
        '--profiling=false',
      ],
      isReady: () => accepts({ host: node, port: 10257 }),
    },
    'kube-scheduler': {
      command: program('kube-scheduler'),
      args: [
        `--kubeconfig=${kubeconfig('kube-scheduler')}`,
        `--bind-address=${node}`,
        '--leader-elect=false',
        '--profiling=false',
      ],
      isReady: () => accepts({ host: node, port: 10259 }),
    },
    'calico-felix': {
      command: join(binaries.calico, 'calico-felix'),
      args: [],
      environment: {
        KUBECONFIG: kubeconfig('calico-felix'),
        DATASTORE_TYPE: 'kubernetes',
        FELIX_DATASTORETYPE: 'kubernetes',
        FELIX_FELIXHOSTNAME: NODE_NAME,
        FELIX_INTERFACEPREFIX: 'cali',
        // Routes by pods' own addresses: these are not Calico's to give here.
        FELIX_ROUTESOURCE: 'WorkloadIPs',
        FELIX_DEFAULTENDPOINTTOHOSTACTION: 'ACCEPT',
        // Left to find out, it does so before kube-proxy has written the rules that it judges by.
        FELIX_IPTABLESBACKEND: 'nft',
        FELIX_IPV6SUPPORT: 'false',
        FELIX_IPINIPENABLED: 'false',
        FELIX_VXLANENABLED: 'false',
        FELIX_BPFENABLED: 'false',
        FELIX_USAGEREPORTINGENABLED: 'false',
        FELIX_HEALTHENABLED: 'true',
        FELIX_HEALTHHOST: node,
        FELIX_HEALTHPORT: '9099',
        FELIX_LOGFILEPATH: 'none',
        FELIX_LOGSEVERITYSYS: 'none',
        FELIX_LOGSEVERITYSCREEN: 'Warning',
        FELIX_ENDPOINTSTATUSPATHPREFIX: paths.calico,
      },
      isReady: answersAt(9099, '/readiness'),
    },
    coredns: {
      command: join(binaries.dns, 'coredns'),
      args: [`-conf=${paths.dnsConfig}`],
      isReady: answersAt(8181, '/ready'),
    },
    kubelet: {
      command: program('kubelet'),
      args: [
        `--config=${paths.kubeletConfig}`,
        `--kubeconfig=${kubeconfig('kubelet')}`,
        `--root-dir=${paths.kubelet}`,
        `--hostname-override=${NODE_NAME}`,
        `--node-ip=${node}`,
      ],
      isReady: answersAt(10248, '/healthz'),
    },
    'kube-proxy': {
      command: program('kube-proxy'),
      args: [
        `--kubeconfig=${kubeconfig('kube-proxy')}`,
        `--hostname-override=${NODE_NAME}`,
        '--proxy-mode=iptables',
        `--bind-address=${node}`,
        `--healthz-bind-address=${node}:10256`,
        `--cluster-cidr=${PODS.range}`,
        // The machine's tables of connections stay as they are.
        '--conntrack-max-per-core=0',
        '--conntrack-min=0',
        '--conntrack-tcp-timeout-established=0',
        '--conntrack-tcp-timeout-close-wait=0',
      ],
      isReady: answersAt(10256, '/healthz'),
    },
  };
}

export async function isApiReady(kubeconfig: string): Promise<boolean> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return new Health(config).readyz({}).catch(() => false);
}

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    async (response) => {
      await response.text();
      return response.ok;
    },
    () => false,
  );
}

function accepts(address: { path: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const done = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', done(true)).once('error', done(false));
  });
}
