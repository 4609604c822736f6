import { expect, test } from 'vitest';
import { pageCacheOf } from './cgroup.ts';

test('the page cache of either version is that of files on disk, not of file systems in memory', () => {
  const version1 = 'cache 1\nrss 2\nshmem 3\ntotal_cache 300\ntotal_rss 40\ntotal_shmem 100\n';
  expect(pageCacheOf(version1, 'total_cache', 'total_shmem')).toBe(200);
  const version2 = 'anon 40\nfile 300\nkernel 5\nshmem 120\nfile_mapped 7\n';
  expect(pageCacheOf(version2, 'file', 'shmem')).toBe(180);
  expect(pageCacheOf('', 'file', 'shmem')).toBe(0);
});
