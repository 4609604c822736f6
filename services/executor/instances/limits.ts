import type { SandboxLimits } from '#libs/catalog/catalog.ts';

/** Whether two sandboxes have the same limits, except their disks, which cannot be changed. */
export function sameLimits(a: SandboxLimits, b: SandboxLimits): boolean {
  return a.memoryBytes === b.memoryBytes && a.processes === b.processes && a.cpus === b.cpus;
}
