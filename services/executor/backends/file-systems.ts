import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import type { OpenCell } from '#proto/drydock/agent/v1/agent.ts';

const SHM_CEILING_BYTES = 64 * 1024 * 1024;

/**
 * Bytes of the writable file systems of a sandbox of its own, where the home and /tmp cannot share one. They use the memory of the
 * sandbox and stay below it together, so /tmp is smaller than the disk where the disk is large.
 */
export function fileSystemSizes({ memoryBytes, diskBytes }: SandboxLimits) {
  const shm = Math.min(SHM_CEILING_BYTES, Math.floor(memoryBytes / 8));
  const left = Math.floor(0.75 * memoryBytes) - diskBytes - shm;
  return { home: diskBytes, tmp: Math.min(diskBytes, Math.max(Math.floor(diskBytes / 2), left)), shm };
}

/** Bytes of the writable file systems of a cell: one for the home and /tmp together, and one for shared memory. */
export function cellSizes(limits: SandboxLimits): OpenCell {
  return { diskBytes: limits.diskBytes, sharedMemoryBytes: fileSystemSizes(limits).shm };
}
