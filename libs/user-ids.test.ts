import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { othersWithin, overlap } from '#libs/user-ids.ts';

const RANGE = { first: 5_000, count: 100 };
let etc: string;
let proc: string;
beforeEach(async () => {
  [etc, proc] = [await mkdtemp(join(tmpdir(), 'drydock-etc-')), await mkdtemp(join(tmpdir(), 'drydock-proc-'))];
});
afterEach(async () => {
  for (const directory of [etc, proc]) await rm(directory, { recursive: true });
});

const others = (isOurs?: (id: number) => boolean) => othersWithin(RANGE, isOurs, { etc, proc });

test.each([
  [{ first: 5_099, count: 1 }, true],
  [{ first: 4_000, count: 1_001 }, true],
  [{ first: 0, count: 100_000 }, true],
  [{ first: 5_100, count: 9 }, false],
  [{ first: 4_999, count: 1 }, false],
])('%o overlaps: %s', (other, expected) => {
  expect([overlap(RANGE, other), overlap(other, RANGE)]).toEqual([expected, expected]);
});

describe('others within a range', () => {
  test('a host without these files has none', async () => {
    expect(await others()).toEqual([]);
  });

  test.each([
    ['passwd', 'eve:x:5050:50::/home/eve:/bin/sh', 'user eve is 5050'],
    ['group', 'staff:x:5099:eve', 'group staff is 5099'],
    ['subuid', 'eve:4096:65536', 'eve has 4096 to 69631'],
    ['subgid', '1000:5000:1', '1000 has 5000 to 5000'],
  ])('%s: %s', async (file, line, found) => {
    await writeFile(join(etc, file), `root:x:0:0::/root:/bin/sh\n\n# no entry\n${line}\nbad:line\n`);
    expect(await others()).toEqual([`${found} in ${join(etc, file)}`]);
  });

  test('those next to it do not count', async () => {
    await writeFile(join(etc, 'passwd'), 'eve:x:4999:5000::/:/bin/sh\nbob:x:5100:5000::/:/bin/sh\n');
    await writeFile(join(etc, 'subuid'), 'eve:4000:1000\nbob:5100:65536\nnone:5000:0\n');
    expect(await others()).toEqual([]);
  });

  test.each(['Uid:\t0\t5007\t0\t0', 'Gid:\t0\t0\t0\t5007'])(
    'a process with %o counts unless it is ours',
    async (line) => {
      await mkdir(join(proc, '17'));
      await writeFile(join(proc, '17', 'status'), `Name:\tsh\n${line}\n`);
      expect(await others()).toEqual(['process 17 runs as 5007']);
      expect(await others((id) => id === 5_007)).toEqual([]);
    },
  );

  test('a process that has ended since does not count, and what cannot be read is told', async () => {
    await mkdir(join(proc, '18'));
    expect(await others()).toEqual([]);
    await mkdir(join(etc, 'passwd'));
    await expect(others()).rejects.toThrow('EISDIR');
  });
});
