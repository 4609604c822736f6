import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Call } from '#libs/grpc/rpc.ts';
import type { PutBlobRequest } from '#proto/drydock/v1/blob.ts';
import { someone, useRecords } from '../records-fixture.ts';

const { blobs, query, expireBlobsOnce } = useRecords();
const MiB = 1024 * 1024;

const hashOf = (data: Buffer) => createHash('sha256').update(data).digest('hex');

async function* uploadOf(data: Buffer, sha256 = hashOf(data)): AsyncIterable<PutBlobRequest> {
  yield { sha256, data: Buffer.alloc(0) };
  for (let at = 0; at < data.length; at += 100_000) yield { sha256: '', data: data.subarray(at, at + 100_000) };
}

async function put(call: Call, data: Buffer) {
  return (await blobs().putBlob(uploadOf(data), call)).blob!;
}

async function read(call: Call, sha256: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const { data } of blobs().readBlob({ sha256 }, call)) pieces.push(data);
  return Buffer.concat(pieces);
}

async function bytesOf(call: Call) {
  const organizationId = call.caller!.organizationId;
  const [usage] = await query('select bytes from blob_usage where organization_id = $1', [organizationId]);
  const contents = await query('select id from blob_contents where organization_id = $1', [organizationId]);
  const pieces = await query(
    'select number from blob_pieces join blob_contents on id = content_id where organization_id = $1',
    [organizationId],
  );
  return { bytes: usage?.bytes ?? 0, contents: contents.length, pieces: pieces.length };
}

test.each([0, 1, 65_536, MiB - 1, MiB, MiB + 1, 3 * MiB + 12_345])(
  '%i bytes come back as they went in',
  async (size) => {
    const call = someone();
    const data = randomBytes(size);
    const blob = await put(call, data);
    expect(blob).toMatchObject({ sha256: hashOf(data), sizeBytes: size });
    expect((await read(call, blob.sha256)).equals(data)).toBe(true);
    expect(await bytesOf(call)).toEqual({ bytes: size, contents: 1, pieces: Math.ceil(size / MiB) });
  },
);

test('an organisation sees its own blobs alone', async () => {
  const [one, other] = [someone(), someone()];
  const { sha256 } = await put(one, Buffer.from('ours'));
  await expect(read(other, sha256)).rejects.toMatchObject({ reason: 'BLOB_NOT_FOUND' });
  expect(await blobs().statBlobs({ sha256s: [sha256] }, other)).toEqual({ blobs: [], missingSha256s: [sha256] });
});

test('stat says which blobs are there, once each and in order', async () => {
  const call = someone();
  const [a, b] = [await put(call, Buffer.from('a')), await put(call, Buffer.from('b'))];
  const missing = hashOf(Buffer.from('c'));
  const { blobs: found, missingSha256s } = await blobs().statBlobs(
    { sha256s: [b.sha256, missing, a.sha256, b.sha256] },
    call,
  );
  expect(found.map(({ sha256 }) => sha256)).toEqual([b.sha256, a.sha256]);
  expect(missingSha256s).toEqual([missing]);
});

test('bytes of another hash leave nothing', async () => {
  const call = someone();
  const data = randomBytes(2 * MiB);
  await expect(blobs().putBlob(uploadOf(data, hashOf(Buffer.from('else'))), call)).rejects.toMatchObject({
    reason: 'BLOB_HASH_MISMATCH',
    details: { metadata: { sha256: hashOf(data) } },
  });
  expect(await bytesOf(call)).toEqual({ bytes: 0, contents: 0, pieces: 0 });
});

test('other bytes for a blob that is there are refused, and the blob stays', async () => {
  const call = someone();
  const { sha256 } = await put(call, Buffer.from('right'));
  await expect(blobs().putBlob(uploadOf(Buffer.from('wrong'), sha256), call)).rejects.toMatchObject({
    reason: 'BLOB_HASH_MISMATCH',
  });
  expect((await read(call, sha256)).toString()).toBe('right');
});

test('an upload that is cut off leaves nothing', async () => {
  const call = someone();
  const data = randomBytes(3 * MiB);
  async function* cut() {
    let given = 0;
    for await (const request of uploadOf(data)) {
      given += request.data.length;
      if (given > 2 * MiB) throw new Error('the client has left');
      yield request;
    }
  }
  await expect(blobs().putBlob(cut(), call)).rejects.toThrow('the client has left');
  expect(await bytesOf(call)).toEqual({ bytes: 0, contents: 0, pieces: 0 });
});

test('two uploads of one blob at the same time both succeed, and it is kept and counted once', async () => {
  const call = someone();
  const data = randomBytes(2 * MiB);
  const both = await Promise.all([put(call, data), put(call, data)]);
  expect(both.map(({ sha256 }) => sha256)).toEqual([hashOf(data), hashOf(data)]);
  expect(await bytesOf(call)).toEqual({ bytes: 2 * MiB, contents: 1, pieces: 2 });
  await put(call, data);
  expect(await bytesOf(call)).toEqual({ bytes: 2 * MiB, contents: 1, pieces: 2 });
});

test('the quota holds in the middle of an upload, and of those at the same time', async () => {
  const call = someone(100, { blobBytes: 3 * MiB });
  await expect(put(call, randomBytes(4 * MiB))).rejects.toMatchObject({
    reason: 'QUOTA_EXCEEDED',
    details: { quota: [{ subject: `organizations/${call.caller!.organizationId}/blobBytes` }] },
  });
  expect(await bytesOf(call)).toEqual({ bytes: 0, contents: 0, pieces: 0 });
  const settled = await Promise.allSettled([1, 2, 3].map(() => put(call, randomBytes(1.5 * MiB))));
  expect(settled.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(1);
  const kept = settled.filter(({ status }) => status === 'fulfilled').length * 1.5 * MiB;
  expect(await bytesOf(call)).toMatchObject({ bytes: kept });
});

test('a blob may have 256 MiB and no more', async () => {
  const call = someone();
  const piece = Buffer.alloc(MiB);
  async function* tooLong() {
    yield { sha256: '0'.repeat(64), data: piece };
    for (let n = 0; n < 256; n++) yield { sha256: '', data: piece };
  }
  await expect(blobs().putBlob(tooLong(), call)).rejects.toMatchObject({ reason: 'REQUEST_TOO_LARGE' });
  expect(await bytesOf(call)).toEqual({ bytes: 0, contents: 0, pieces: 0 });
});

test.each(['', 'x', 'A'.repeat(64), `${'a'.repeat(63)}g`])('%j is no hash', async (sha256) => {
  const call = someone();
  const refused = { reason: 'INVALID_FIELD' };
  await expect(blobs().putBlob(uploadOf(Buffer.from('x'), sha256), call)).rejects.toMatchObject(refused);
  await expect(read(call, sha256)).rejects.toMatchObject(refused);
  await expect(blobs().statBlobs({ sha256s: [sha256] }, call)).rejects.toMatchObject(refused);
});

test('damaged bytes are never taken for the whole', async () => {
  const call = someone();
  const data = randomBytes(2 * MiB);
  const { sha256 } = await put(call, data);
  await query(
    `update blob_pieces set data = overlay(data placing '\\x00'::bytea from 100)
     from blob_contents where id = content_id and organization_id = $1 and number = 0`,
    [call.caller!.organizationId],
  );
  let bytes = 0;
  const reading = (async () => {
    for await (const { data } of blobs().readBlob({ sha256 }, call)) bytes += data.length;
  })();
  await expect(reading).rejects.toThrow('damaged');
  expect(bytes).toBeLessThan(data.length);
});

test('no more than eight uploads of an organisation are under way at one time', async () => {
  const [call, other] = [someone(), someone()];
  const end = Promise.withResolvers<void>();
  async function* slow(index: number) {
    const data = Buffer.from(`${index}`);
    yield { sha256: hashOf(data), data };
    await end.promise;
  }
  const api = blobs();
  const uploads = Array.from({ length: 9 }, (_, index) => api.putBlob(slow(index), call).catch(({ reason }) => reason));
  expect(await Promise.race(uploads)).toBe('RATE_LIMITED');
  expect(await put(other, Buffer.from('x'))).toMatchObject({ sizeBytes: 1 });
  end.resolve();
  await Promise.all(uploads);
});

test('a blob goes when nothing has used it for 30 days, but not while a run submitted in that time has not ended', async () => {
  const call = someone();
  const { organizationId } = call.caller!;
  const [old, used] = [await put(call, Buffer.from('old')), await put(call, Buffer.from('used'))];
  const age = (sha256: string, days: number) =>
    query(`update blobs set use_time = now() - $3 * interval '1 day' where organization_id = $1 and sha256 = $2`, [
      organizationId,
      Buffer.from(sha256, 'hex'),
      days,
    ]);
  const there = async () =>
    (await blobs().statBlobs({ sha256s: [old.sha256, used.sha256] }, call)).blobs.map(({ sha256 }) => sha256);
  await age(old.sha256, 29);
  await age(used.sha256, 29);
  await expireBlobsOnce();
  expect(await there()).toEqual([old.sha256, used.sha256]);
  await age(old.sha256, 32);
  await query(
    `insert into executions (id, organization_id, request_sha256, language, template, state, create_time)
     values ('exe_waiting', $1, '', '', '', 'QUEUED', now() - interval '33 days')`,
    [await tenant(organizationId)],
  );
  await expireBlobsOnce();
  expect((await bytesOf(call)).contents).toBe(2);
  await query(`update executions set state = 'CANCELLED' where id = 'exe_waiting'`);
  await expireBlobsOnce();
  expect(await there()).toEqual([used.sha256]);
  expect(await bytesOf(call)).toEqual({ bytes: 4, contents: 1, pieces: 1 });
});

async function tenant(organizationId: string): Promise<string> {
  await query('insert into tenants (organization_id) values ($1) on conflict do nothing', [organizationId]);
  return organizationId;
}

test('what an upload of a killed process left goes after ten minutes', async () => {
  const call = someone();
  const { organizationId } = call.caller!;
  await query(
    `insert into blob_contents (id, organization_id, storage, size_bytes) values ('cnt_left', $1, 'POSTGRESQL', 5)`,
    [organizationId],
  );
  await query(`insert into blob_pieces values ('cnt_left', 0, 'bytes')`);
  await query('insert into blob_usage values ($1, 5)', [organizationId]);
  await expireBlobsOnce();
  expect(await bytesOf(call)).toEqual({ bytes: 5, contents: 1, pieces: 1 });
  await query(`update blob_contents set change_time = now() - interval '11 minutes' where id = 'cnt_left'`);
  await expireBlobsOnce();
  expect(await bytesOf(call)).toEqual({ bytes: 0, contents: 0, pieces: 0 });
});
