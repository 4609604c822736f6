import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Need } from '../host/system-packages.ts';
import { PLUGINS } from './settings.ts';

/** What a cluster runs of Debian's, besides what it builds. */
export const CLUSTER_NEEDS: Need[] = [
  need('containerd', 'containerd'),
  need('ctr', 'containerd'),
  need('runc', 'runc'),
  need('host-local', 'containernetworking-plugins', () => existsSync(join(PLUGINS, 'host-local'))),
  need('iptables', 'iptables'),
  need('ipset', 'ipset'),
  need('conntrack', 'conntrack'),
  need('socat', 'socat'),
  need('ip', 'iproute2'),
  need('nsenter', 'util-linux'),
  need('flock', 'util-linux'),
];

function need(command: string, name: string, unless = () => false): Need {
  return { command, package: name, unless };
}
