import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DOMAIN, LINK, NODE_NAME, PODS, SERVICES } from './addresses.ts';
import type { Binaries } from './binaries.ts';
import { CGROUP } from './cgroups.ts';

/** Where Debian puts the plugins of containernetworking-plugins. */
export const PLUGINS = '/usr/lib/cni';
/** Keeps the namespaces of every pod. No registry is asked for it. */
export const PAUSE_IMAGE = 'drydock.invalid/pause:1';

/** Where things are below the directory of a cluster. */
export function pathsOf(directory: string) {
  const at = (...names: string[]) => join(directory, ...names);
  return {
    credentials: at('credentials'),
    kubeconfig: at('credentials/admin.kubeconfig'),
    containerdSocket: at('containerd.sock'),
    containerdConfig: at('containerd.toml'),
    runscConfig: at('runsc.toml'),
    dnsConfig: at('Corefile'),
    kubeletConfig: at('kubelet.json'),
    kubelet: at('kubelet'),
    etcd: at('etcd'),
    plugins: at('plugins'),
    pluginConfigs: at('plugin-configs'),
    calico: at('calico'),
  };
}

export type Paths = ReturnType<typeof pathsOf>;

/** Writes what programs read at their start. */
export async function writeSettings(directory: string, binaries: Binaries): Promise<void> {
  const paths = pathsOf(directory);
  for (const each of [paths.plugins, paths.pluginConfigs, paths.kubelet, paths.calico])
    await mkdir(each, { recursive: true });
  await symlink(join(binaries.calico, 'calico'), join(paths.plugins, 'calico'));
  for (const plugin of ['host-local', 'loopback']) await symlink(join(PLUGINS, plugin), join(paths.plugins, plugin));
  await writeFile(join(paths.pluginConfigs, '10-calico.conflist'), JSON.stringify(podNetwork(directory, paths)));
  await writeFile(paths.containerdConfig, containerd(directory, paths));
  await writeFile(paths.runscConfig, runsc(directory, binaries));
  await writeFile(paths.dnsConfig, dns(paths));
  await writeFile(paths.kubeletConfig, JSON.stringify(kubelet(directory, paths)));
}

function podNetwork(directory: string, paths: Paths) {
  const plugin = {
    type: 'calico',
    datastore_type: 'kubernetes',
    nodename: NODE_NAME,
    nodename_file_optional: true,
    mtu: 1500,
    log_level: 'Warning',
    log_file_path: join(directory, 'calico.log'),
    kubernetes: { kubeconfig: join(paths.credentials, 'calico.kubeconfig') },
    policy: { type: 'k8s' },
    ipam: { type: 'host-local', dataDir: join(directory, 'addresses'), ranges: [[{ subnet: PODS.range }]] },
  };
  return { cniVersion: '0.4.0', name: 'drydock', plugins: [plugin] };
}

function containerd(directory: string, paths: Paths): string {
  const text = JSON.stringify;
  return `version = 2
root = ${text(join(directory, 'containerd'))}
state = ${text(join(directory, 'containerd-state'))}
disabled_plugins = [
  "io.containerd.internal.v1.restart",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = ${text(paths.containerdSocket)}

[plugins."io.containerd.internal.v1.opt"]
path = ${text(join(directory, 'containerd-opt'))}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = ${text(PAUSE_IMAGE)}
netns_mounts_under_state_dir = true
disable_apparmor = ${!existsSync('/sys/kernel/security/apparmor')}
# Scores below its own are not its to give where it lacks CAP_SYS_RESOURCE.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = ${text(paths.plugins)}
conf_dir = ${text(paths.pluginConfigs)}

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = ${text(join(directory, 'runc'))}

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
runtime_type = "io.containerd.runsc.v1"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc.options]
TypeUrl = "io.containerd.runsc.v1.options"
ConfigPath = ${text(paths.runscConfig)}
`;
}

function runsc(directory: string, binaries: Binaries): string {
  const text = JSON.stringify;
  return `binary_name = ${text(join(binaries.gvisor, 'runsc'))}
root = ${text(join(directory, 'runsc'))}

[runsc_config]
platform = "systrap"
network = "sandbox"
`;
}

/** What pods' names of services end in. No other name is known here. */
function dns(paths: Paths): string {
  return `${DOMAIN}:53 {
  errors
  ready
  kubernetes ${DOMAIN} {
    kubeconfig ${join(paths.credentials, 'coredns.kubeconfig')}
  }
}
`;
}

function kubelet(directory: string, paths: Paths) {
  const credential = (name: string) => join(paths.credentials, name);
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: LINK.node.address,
    healthzBindAddress: LINK.node.address,
    tlsCertFile: credential('kubelet.pem'),
    tlsPrivateKeyFile: credential('kubelet-key.pem'),
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: credential('authority.pem') },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: CGROUP,
    failCgroupV1: false,
    failSwapOn: false,
    // Neither can be set without CAP_SYS_RESOURCE to what a kubelet asks for by itself.
    oomScoreAdj: 0,
    maxOpenFiles: 20_000,
    clusterDNS: [SERVICES.dns],
    clusterDomain: DOMAIN,
    resolvConf: '',
    podLogsDir: join(directory, 'logs'),
    volumePluginDir: join(directory, 'volume-plugins'),
    maxPods: 250,
    // A pod cannot ask for a limit of its own, and a fork bomb in one must not be felt in others.
    podPidsLimit: 160,
    // Nothing can be pulled again, so no image may be dropped, nor pods for a disk that others fill.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'nodefs.inodesFree': '1%',
      'imagefs.available': '1%',
    },
  };
}
