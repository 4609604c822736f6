import type { SandboxLimits } from '#libs/catalog/catalog.ts';

/** Whether two sandboxes differ in nothing that can be changed: a disk stays as it was made. */
export function sameLimits(a: SandboxLimits, b: SandboxLimits): boolean {
  return a.memoryBytes === b.memoryBytes && a.processes === b.processes && a.cpus === b.cpus;
}
