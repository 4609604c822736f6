import { lowLimits } from '../host/kernel-limits.ts';
import type { Finding } from './finding.ts';

export async function examineKernelLimits(): Promise<Finding> {
  const low = await lowLimits();
  const settings = low.map(([name, wanted]) => `${name}=${wanted}`).join(' ');
  return {
    name: 'kernel limits',
    ok: low.length === 0,
    found: low.length === 0 ? 'high enough' : low.map(([name, , found]) => `${name} is ${found}`).join(', '),
    fix: `sysctl -w ${settings}, and put it in /etc/sysctl.d (npm start does the first as root)`,
    optional: true,
  };
}
