import { createHash } from 'node:crypto';
import { DrydockError } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import type { Logger } from '#libs/log.ts';
import type { Database } from '#libs/postgres/database.ts';
import { PIECE_BYTES, type Storages } from './storage.ts';

export type Dependencies = { db: Database; storages: Storages; log: Logger };

/** Whose quota counts the bytes. */
export type Owner = { organizationId: string; blobBytes: number };

/** A content of which all bytes are written, and nothing refers to yet. */
export type Content = { id: string; sha256: Buffer; sizeBytes: number };

/**
 * Writes a content piece by piece, with at most two pieces in memory; its bytes are counted before they are written. If it fails,
 * nothing is left. Errors: QUOTA_EXCEEDED; REQUEST_TOO_LARGE above `maxBytes`; what `data` throws.
 */
export async function writeContent(
  dependencies: Dependencies,
  owner: Owner,
  data: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Content> {
  const { current } = dependencies.storages;
  const id = newId('cnt');
  const hash = createHash('sha256');
  const writer = current.open(id);
  let sizeBytes = 0;
  try {
    await reserve(dependencies, owner, id, 0);
    for await (const piece of inPieces(data)) {
      sizeBytes += piece.length;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      hash.update(piece);
      await reserve(dependencies, owner, id, piece.length);
      await writer.write(piece);
    }
    await writer.finish();
    return { id, sha256: hash.digest(), sizeBytes };
  } catch (error) {
    await writer.abort().catch((cause) => dependencies.log.warn({ err: cause, contentId: id }, 'failed to abort'));
    await discard(dependencies, id);
    throw error;
  }
}

export function tooLarge(maxBytes: number): DrydockError {
  return new DrydockError('REQUEST_TOO_LARGE', `larger than ${maxBytes} bytes`);
}

/** Data in pieces of the size that storages take. */
async function* inPieces(data: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let length = 0;
  for await (const bytes of data) {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + PIECE_BYTES - length);
      piece.set(part, length);
      length += part.length;
      at += part.length;
      if (length < PIECE_BYTES) continue;
      yield piece;
      piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
      length = 0;
    }
  }
  if (length > 0) yield piece.subarray(0, length);
}

/** Counts bytes of a content, in one statement, so that of many who write together none exceeds the quota. */
async function reserve(
  { db, storages }: Dependencies,
  { organizationId, blobBytes }: Owner,
  contentId: string,
  bytes: number,
): Promise<void> {
  const [reserved] = await db.query(
    `with reserved as (
       insert into blob_usage as usage (organization_id, bytes) select $1, $3::bigint where $3::bigint <= $4::bigint
       on conflict (organization_id) do update set bytes = usage.bytes + excluded.bytes
         where usage.bytes + excluded.bytes <= $4::bigint
       returning bytes
     )
     insert into blob_contents as content (id, organization_id, storage, size_bytes)
     select $2, $1, $5, $3::bigint from reserved
     on conflict (id) do update
       set size_bytes = content.size_bytes + excluded.size_bytes, change_time = now()
     returning id`,
    [organizationId, contentId, bytes, blobBytes, storages.current.name],
  );
  if (!reserved) throw quotaExceeded(organizationId, blobBytes);
}

function quotaExceeded(organizationId: string, blobBytes: number): DrydockError {
  return new DrydockError('QUOTA_EXCEEDED', `the organisation may have ${blobBytes} bytes of blobs`, {
    quota: [
      {
        subject: `organizations/${organizationId}/blobBytes`,
        description: `more than ${blobBytes} bytes; delete test sets, or wait until unused blobs expire`,
      },
    ],
  });
}

/** Removes a content that no blob has, and gives its bytes back. What fails is left to the sweep. */
export async function discard(dependencies: Dependencies, contentId: string): Promise<void> {
  try {
    await removeContent(dependencies, contentId, dependencies.storages.current.name);
  } catch (error) {
    dependencies.log.warn({ err: error, contentId }, 'failed to remove an upload; the sweep tries again');
  }
}

/** Removes a content unless it is sealed. */
export async function removeContent({ db, storages }: Dependencies, contentId: string, storage: string): Promise<void> {
  await storages.of(storage).remove(contentId);
  await db.query(
    `with gone as (
       delete from blob_contents where id = $1 and not sealed returning organization_id, size_bytes
     )
     update blob_usage set bytes = bytes - gone.size_bytes from gone
     where blob_usage.organization_id = gone.organization_id`,
    [contentId],
  );
}
