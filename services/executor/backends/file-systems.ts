import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import type { OpenCell } from '#proto/drydock/agent/v1/agent.ts';

const SHM_CEILING_BYTES = 64 * 1024 * 1024;

/** Bytes of each writable file system. Together they stay well below the memory, which they are part of. */
export function fileSystemSizes({ memoryBytes, diskBytes }: SandboxLimits) {
  const half = Math.floor(diskBytes / 2);
  return { home: diskBytes - half, tmp: half, shm: Math.min(SHM_CEILING_BYTES, Math.floor(memoryBytes / 8)) };
}

/** The same for a cell, which has file systems of its own. */
export function cellSizes(limits: SandboxLimits): OpenCell {
  const { home, tmp, shm } = fileSystemSizes(limits);
  return { homeBytes: home, temporaryBytes: tmp, sharedMemoryBytes: shm };
}
