import { DrydockError, invalidField } from '#libs/errors.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { BlobContentServiceDefinition } from '#proto/drydock/internal/v1/blob.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { BlobServiceDefinition, PutBlobRequest } from '#proto/drydock/v1/blob.ts';
import { findBlobs, isSha256, putBlob, readBlob } from './blobs.ts';
import type { Dependencies, Owner } from './contents.ts';
import { createStreams } from './streams.ts';

const MAX_HASHES = 1000;
const MAX_DATA_BYTES = 1024 * 1024;
const PUBLIC_PIECE_BYTES = 64 * 1024;
/** Each upload holds up to two pieces, and a part of a bucket's upload. */
const UPLOADS = { organization: 8, process: 24 };
/** Each holds two reads of 256 KiB. */
const READS = { organization: 16, process: 64 };

/** Blobs as clients see them. */
export function createBlobs(dependencies: Dependencies): Rpc<BlobServiceDefinition> {
  const { db } = dependencies;
  const uploads = createStreams('uploads of blobs', UPLOADS);
  const reads = createStreams('downloads of blobs', READS);
  return {
    async putBlob(requests, call) {
      const owner = ownerOf(callerOf(call));
      const { first, data } = await beginUpload(requests);
      const sha256 = checkSha256('sha256', first.sha256);
      using _upload = uploads.take(owner.organizationId);
      return { blob: await putBlob(dependencies, owner, data, sha256) };
    },

    async *readBlob({ sha256 }, call) {
      const { organizationId } = callerOf(call);
      checkSha256('sha256', sha256);
      using _read = reads.take(organizationId);
      for await (const piece of readBlob(dependencies, organizationId, sha256))
        for (let at = 0; at < piece.length; at += PUBLIC_PIECE_BYTES)
          yield { data: piece.subarray(at, at + PUBLIC_PIECE_BYTES) };
    },

    async statBlobs({ sha256s }, call) {
      const { organizationId } = callerOf(call);
      if (sha256s.length === 0 || sha256s.length > MAX_HASHES)
        throw invalidField('sha256s', `must be 1 to ${MAX_HASHES}, and are ${sha256s.length}`);
      for (const [index, sha256] of sha256s.entries()) checkSha256(`sha256s[${index}]`, sha256);
      const found = await findBlobs(db, organizationId, sha256s);
      const wanted = [...new Set(sha256s)];
      return {
        blobs: wanted.flatMap((sha256) => found.get(sha256) ?? []),
        missingSha256s: wanted.filter((sha256) => !found.has(sha256)),
      };
    },
  };
}

/** Blobs for executors, which name the organisation whose execution they run. */
export function createBlobContents(dependencies: Dependencies): Rpc<BlobContentServiceDefinition> {
  return {
    async *fetchBlob({ sha256 }, call) {
      const { organizationId } = callerOf(call);
      for await (const data of readBlob(dependencies, organizationId, checkSha256('sha256', sha256))) yield { data };
    },
  };
}

export function ownerOf({ organizationId, quota }: Caller): Owner {
  return { organizationId, blobBytes: quota?.blobBytes ?? 0 };
}

/** The first message of an upload, and the data of all. Errors: INVALID_FIELD, MALFORMED_REQUEST if there is no message. */
export async function beginUpload<T extends Pick<PutBlobRequest, 'data'>>(
  requests: AsyncIterable<T>,
): Promise<{ first: T; data: AsyncIterable<Uint8Array> }> {
  const iterator = requests[Symbol.asyncIterator]();
  const { value: first, done } = await iterator.next();
  if (done) throw new DrydockError('MALFORMED_REQUEST', 'the stream ended before its first message');
  async function* dataOf() {
    yield checkData(first);
    for await (const request of { [Symbol.asyncIterator]: () => iterator }) yield checkData(request);
  }
  return { first, data: dataOf() };
}

function checkData({ data }: Pick<PutBlobRequest, 'data'>): Uint8Array {
  if (data.length > MAX_DATA_BYTES) throw invalidField('data', 'must be at most 1 MiB in one message');
  return data;
}

function checkSha256(field: string, sha256: string): string {
  if (!isSha256(sha256)) throw invalidField(field, 'must be a SHA-256 as 64 lower-case hexadecimal digits');
  return sha256;
}
