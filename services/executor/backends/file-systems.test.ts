import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cellSizes, fileSystemSizes } from './file-systems.ts';

const MiB = 1024 * 1024;
const limits = (memoryBytes: number, diskBytes: number) => ({ memoryBytes, diskBytes, processes: 64, cpus: 1 });

test('the whole disk fits into the home, and into /tmp where the memory holds both', () => {
  expect(fileSystemSizes(limits(512 * MiB, 128 * MiB))).toEqual({ home: 128 * MiB, tmp: 128 * MiB, shm: 64 * MiB });
  expect(fileSystemSizes(limits(512 * MiB, 256 * MiB))).toEqual({ home: 256 * MiB, tmp: 128 * MiB, shm: 64 * MiB });
  expect(cellSizes(limits(512 * MiB, 256 * MiB))).toEqual({ diskBytes: 256 * MiB, sharedMemoryBytes: 64 * MiB });
});

test('all file systems together stay below the memory', () => {
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 8192 }), fc.integer({ min: 1, max: 4096 }), (memory, disk) => {
      const { home, tmp, shm } = fileSystemSizes(limits(memory * MiB, Math.min(disk, memory / 2) * MiB));
      expect(home + tmp + shm).toBeLessThanOrEqual((7 / 8) * memory * MiB);
    }),
  );
});
