import { afterAll, beforeAll, expect, test } from 'vitest';
import { CALLER, MiB, python, STRANGER, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;
let sandboxId: string;

beforeAll(async () => {
  executor = await startExecutor();
  sandboxId = await executor.sandbox();
});

afterAll(() => executor[Symbol.asyncDispose]());

const options = { caller: CALLER };

test('a file comes back as it went, with its parents made', async () => {
  const data = Buffer.from(Array.from({ length: 5 * MiB }, (_, i) => (i * 7919) & 0xff));
  const file = await executor.writeFile(sandboxId, 'deep/er/data.bin', data);
  expect(file).toMatchObject({
    path: '/home/user/deep/er/data.bin',
    sizeBytes: data.length,
    mode: 0o644,
    type: 'FILE',
  });
  expect((await executor.readFile(sandboxId, '/home/user/deep/er/data.bin')).equals(data)).toBe(true);
  const { stdout } = await executor.command(sandboxId, ['stat', '-c', '%U %G %s', 'deep/er/data.bin']);
  expect(stdout).toBe(`user user ${data.length}\n`);
});

test('a part of a file', async () => {
  await executor.writeFile(sandboxId, 'part', '0123456789');
  const read = async (range: { offsetBytes?: number; lengthBytes?: number }) =>
    (await executor.readFile(sandboxId, 'part', range)).toString();
  expect(await read({ offsetBytes: 3 })).toBe('3456789');
  expect(await read({ offsetBytes: 3, lengthBytes: 4 })).toBe('3456');
  expect(await read({ offsetBytes: 8, lengthBytes: 40 })).toBe('89');
  expect(await read({ offsetBytes: 80 })).toBe('');
});

test('an empty file, and one with a mode', async () => {
  expect(await executor.writeFile(sandboxId, 'empty', '')).toMatchObject({
    sizeBytes: 0,
  });
  expect((await executor.readFile(sandboxId, 'empty')).length).toBe(0);
  async function* messages() {
    yield {
      sandboxId,
      path: 'run.sh',
      mode: 0o755,
      data: Buffer.from('#!/bin/sh\necho ran\n'),
    };
  }
  await executor.files.writeFile(messages(), options);
  expect((await executor.command(sandboxId, ['./run.sh'])).stdout).toBe('ran\n');
});

test('a file that is not written to its end does not appear', async () => {
  const leave = new AbortController();
  async function* messages() {
    yield { sandboxId, path: 'half', data: Buffer.from('some') };
    leave.abort();
    yield { sandboxId: '', path: '', data: Buffer.from('more') };
  }
  await expect(executor.files.writeFile(messages(), { ...options, signal: leave.signal })).rejects.toThrow();
  await expect(executor.files.statFile({ sandboxId, path: 'half' }, options)).rejects.toMatchObject({
    reason: 'FILE_NOT_FOUND',
  });
  await expect.poll(async () => (await executor.command(sandboxId, ['ls', '-A'])).stdout).not.toContain('.drydock-');
});

test('directories: made, listed by pages, moved, removed', async () => {
  await executor.files.makeDirectory({ sandboxId, path: 'dir/inner' }, options);
  await executor.files.makeDirectory({ sandboxId, path: 'dir/inner' }, options);
  for (const name of ['b', 'a', 'c']) await executor.writeFile(sandboxId, `dir/${name}`, name);
  const page = (pageToken: string) =>
    executor.files.listFiles({ sandboxId, path: 'dir', pageSize: 3, pageToken }, options);
  const first = await page('');
  expect(first.files.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  const second = await page(first.nextPageToken);
  expect(second.files.map(({ name, type }) => [name, type])).toEqual([['inner', 'DIRECTORY']]);
  expect(second.nextPageToken).toBe('');
  const moved = await executor.files.moveFile({ sandboxId, path: 'dir/a', destination: 'other/place' }, options);
  expect(moved.file?.path).toBe('/home/user/other/place');
  await expect(executor.files.removeFile({ sandboxId, path: 'dir', recursive: false }, options)).rejects.toMatchObject({
    reason: 'FILE_WRONG_TYPE',
  });
  await executor.files.removeFile({ sandboxId, path: 'dir', recursive: true }, options);
  await expect(
    executor.files.listFiles({ sandboxId, path: 'dir', pageSize: 0, pageToken: '' }, options),
  ).rejects.toMatchObject({
    reason: 'FILE_NOT_FOUND',
  });
});

test('a link is described, and followed only with the rights of the program', async () => {
  await executor.command(sandboxId, python('import os; os.symlink("/proc/1/environ", "link")'));
  const { file } = await executor.files.statFile({ sandboxId, path: 'link' }, options);
  expect(file).toMatchObject({
    type: 'SYMLINK',
    linkTarget: '/proc/1/environ',
  });
  await expect(executor.readFile(sandboxId, 'link')).rejects.toMatchObject({
    reason: 'FILE_PERMISSION_DENIED',
  });
});

test.each([
  ['FILE_NOT_FOUND', 'nowhere'],
  ['FILE_WRONG_TYPE', '/tmp'],
  ['FILE_WRONG_TYPE', '/dev/zero'],
  ['FILE_PERMISSION_DENIED', '/proc/1/environ'],
  ['FILE_PERMISSION_DENIED', '/proc/1/maps'],
  ['FILE_PERMISSION_DENIED', '/proc/self/limits'],
  ['INVALID_FIELD', '../user/x'],
  ['INVALID_FIELD', 'a\0b'],
  ['INVALID_FIELD', 'x'.repeat(4097)],
  ['INVALID_FIELD', ''],
])('reading: %s for %j', async (reason, path) => {
  await expect(executor.readFile(sandboxId, path)).rejects.toMatchObject({
    reason,
  });
});

test.each([
  ['FILE_WRONG_TYPE', '/tmp'],
  ['FILE_PERMISSION_DENIED', '/etc/hosts'],
  ['FILE_PERMISSION_DENIED', '/run/drydock/link/x'],
  ['INVALID_FIELD', 'a/../b'],
])('writing: %s for %j', async (reason, path) => {
  await expect(executor.writeFile(sandboxId, path, 'x')).rejects.toMatchObject({
    reason,
  });
});

test('ranges that make no sense are refused', async () => {
  for (const range of [{ offsetBytes: -1 }, { lengthBytes: 0 }, { lengthBytes: -5 }])
    await expect(executor.readFile(sandboxId, 'part', range)).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
});

test('another organisation finds nothing', async () => {
  const caller = { caller: STRANGER };
  const { files } = executor;
  const calls = [
    files.statFile({ sandboxId, path: 'part' }, caller),
    files.listFiles({ sandboxId, path: '', pageSize: 0, pageToken: '' }, caller),
    files.makeDirectory({ sandboxId, path: 'x' }, caller),
    files.moveFile({ sandboxId, path: 'part', destination: 'y' }, caller),
    files.removeFile({ sandboxId, path: 'part', recursive: false }, caller),
    executor.writeFile(sandboxId, 'x', 'x', STRANGER),
    files.readFile({ sandboxId, path: 'part', offsetBytes: 0 }, caller)[Symbol.asyncIterator]().next(),
  ];
  for (const call of calls) await expect(call).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});
