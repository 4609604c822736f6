import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import type { OpenCell } from '#proto/drydock/agent/v1/agent.ts';

const SHM_CEILING_BYTES = 64 * 1024 * 1024;

/**
 * Bytes of the writable file systems: one for the home and /tmp together, and one for shared memory. They use the memory of the
 * sandbox, and stay well below it together.
 */
export function fileSystemSizes({ memoryBytes, diskBytes }: SandboxLimits) {
  return { disk: diskBytes, shm: Math.min(SHM_CEILING_BYTES, Math.floor(memoryBytes / 8)) };
}

/** Bytes of each writable file system of a cell, which has its own. */
export function cellSizes(limits: SandboxLimits): OpenCell {
  const { disk, shm } = fileSystemSizes(limits);
  return { diskBytes: disk, sharedMemoryBytes: shm };
}
