import { createHash } from 'node:crypto';
import { DrydockError } from '#libs/errors.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import type { Blob } from '#proto/drydock/v1/blob.ts';
import { type Content, type Dependencies, discard, type Owner, tooLarge, writeContent } from './contents.ts';

export const MAX_BLOB_BYTES = 256 * 1024 * 1024;
const MAX_NAMED = 50;
const SHA256 = /^[0-9a-f]{64}$/;

type BlobRow = { sha256: Buffer; content_id: string; storage: string; size_bytes: number; create_time: Date };

export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

/**
 * Keeps bytes as a blob of the organisation; with `expected`, only if that is their hash. Of two that write the same bytes at one
 * time, one keeps them. Errors: those of `writeContent`; BLOB_HASH_MISMATCH.
 */
export async function putBlob(
  dependencies: Dependencies,
  owner: Owner,
  data: AsyncIterable<Uint8Array>,
  expected?: string,
): Promise<Blob> {
  const [kept] = expected ? [...(await findBlobs(dependencies.db, owner.organizationId, [expected])).values()] : [];
  if (kept) {
    await checkHash(data, kept.sha256);
    return kept;
  }
  const content = await writeContent(dependencies, owner, data, MAX_BLOB_BYTES);
  const actual = content.sha256.toString('hex');
  try {
    if (expected && actual !== expected) throw mismatch(expected, actual);
    const { isKept, blob } = await seal(dependencies, owner.organizationId, content);
    if (!isKept) await discard(dependencies, content.id);
    return blob;
  } catch (error) {
    await discard(dependencies, content.id);
    throw error;
  }
}

async function checkHash(data: AsyncIterable<Uint8Array>, expected: string): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of data) {
    bytes += piece.length;
    if (bytes > MAX_BLOB_BYTES) throw tooLarge(MAX_BLOB_BYTES);
    hash.update(piece);
  }
  const actual = hash.digest('hex');
  if (actual !== expected) throw mismatch(expected, actual);
}

function mismatch(expected: string, actual: string): DrydockError {
  return new DrydockError('BLOB_HASH_MISMATCH', `the bytes have the hash ${actual} and not ${expected}`, {
    metadata: { sha256: actual },
  });
}

/** Makes a content a blob. `isKept` is false if another one has the same bytes already. */
async function seal({ db }: Dependencies, organizationId: string, { id, sha256, sizeBytes }: Content) {
  return db.transaction(async (tx) => {
    const [row] = await tx.query<BlobRow>(
      `insert into blobs (organization_id, sha256, content_id, size_bytes) values ($1, $2, $3, $4)
       on conflict (organization_id, sha256) do update set use_time = now() returning *`,
      [organizationId, sha256, id, sizeBytes],
    );
    const isKept = row!.content_id === id;
    if (isKept) await tx.query('update blob_contents set sealed = true where id = $1', [id]);
    return { isKept, blob: toBlob(row!) };
  });
}

/** Blobs of the organisation by hash. It is a use of each that is found. */
export async function findBlobs(
  db: Queryable,
  organizationId: string,
  hashes: readonly string[],
): Promise<Map<string, Blob>> {
  const wanted = [...new Set(hashes)].map((hash) => Buffer.from(hash, 'hex'));
  // Written once a day, so that a submission seldom writes rows of blobs.
  const rows = await db.query<BlobRow>(
    `with used as (
       update blobs set use_time = now()
       where organization_id = $1 and sha256 = any($2) and use_time < now() - interval '1 day'
     )
     select sha256, size_bytes, create_time from blobs where organization_id = $1 and sha256 = any($2)`,
    [organizationId, wanted],
  );
  return new Map(rows.map((row) => [row.sha256.toString('hex'), toBlob(row)]));
}

/** As `findBlobs`. Errors: BLOB_NOT_FOUND, with the hashes. */
export async function requireBlobs(
  db: Queryable,
  organizationId: string,
  hashes: readonly string[],
): Promise<Map<string, Blob>> {
  if (hashes.length === 0) return new Map();
  const found = await findBlobs(db, organizationId, hashes);
  const missing = [...new Set(hashes)].filter((hash) => !found.has(hash));
  if (missing.length > 0) throw noBlobs(missing);
  return found;
}

function noBlobs(missing: readonly string[]): DrydockError {
  const named = missing.slice(0, MAX_NAMED);
  const more = missing.length > named.length ? `, and ${missing.length - named.length} more` : '';
  return new DrydockError('BLOB_NOT_FOUND', `no such blobs: ${named.join(', ')}${more}; put them first`, {
    metadata: { sha256: named.join(','), count: String(missing.length) },
  });
}

/**
 * The bytes of a blob, in pieces of at most 256 KiB. The last piece is held back until the hash is checked, so that a reader never
 * takes damaged bytes for the whole. Errors: BLOB_NOT_FOUND.
 */
export async function* readBlob(
  { db, storages }: Dependencies,
  organizationId: string,
  sha256: string,
): AsyncIterable<Buffer> {
  const [row] = await db.query<BlobRow>(
    `select content_id, storage, blobs.size_bytes from blobs join blob_contents on id = content_id
     where blobs.organization_id = $1 and sha256 = $2`,
    [organizationId, Buffer.from(sha256, 'hex')],
  );
  if (!row) throw noBlobs([sha256]);
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  for await (const piece of storages.of(row.storage).read(row.content_id, 0, row.size_bytes)) {
    hash.update(piece);
    if (held) yield held;
    held = piece;
  }
  if (hash.digest('hex') !== sha256) throw new Error(`the stored bytes of blob ${sha256} are damaged or were removed`);
  if (held) yield held;
}

function toBlob({ sha256, size_bytes, create_time }: BlobRow): Blob {
  return { sha256: sha256.toString('hex'), sizeBytes: size_bytes, createTime: create_time };
}
