import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DrydockError } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { Logger } from '#libs/log.ts';
import { counter } from '#libs/telemetry.ts';
import type { BlobContentServiceDefinition } from '#proto/drydock/internal/v1/blob.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { type Data, type File, fileOf, PIECE_BYTES } from '../data.ts';
import { type DiskCache, openDiskCache } from './disk-cache.ts';

/** Up to this size a blob is read into memory once; a larger one is read from the disk twice, to check it and to use it. */
const IN_MEMORY_BYTES = 1024 * 1024;
const MAX_BLOB_BYTES = 256 * 1024 * 1024;
/** Others may evict a blob between its fetch and its use. */
const ATTEMPTS = 4;
const FETCH_LIMIT_MS = 120_000;
const SHA256 = /^[0-9a-f]{64}$/;
const ORGANIZATION_ID = /^[a-z0-9_]{1,64}$/;

const reads = counter('executor_blob_reads_total', 'Blobs of executions that were read.', ['source']);

/** A blob that is in use: its data holds until it is disposed. */
export type OpenBlob = { data: Data } & AsyncDisposable;

export type Blobs = {
  /** Opens a blob, of which every byte has been checked. Errors: BLOB_NOT_FOUND; SERVICE_UNAVAILABLE if session cannot be reached. */
  open(organizationId: string, sha256: string, signal: AbortSignal): Promise<OpenBlob>;
};

/** Opens a directory for copies of blobs, of at most this many bytes. */
export async function openBlobs(
  directory: string,
  maxBytes: number,
  session: Client<BlobContentServiceDefinition>,
  log: Logger,
): Promise<Blobs> {
  return createBlobs({ cache: await openDiskCache(directory, maxBytes, log), session, log });
}

/** Blobs by hash: from the disk, or from session. Each organisation has its own copies. */
export function createBlobs(dependencies: {
  cache: DiskCache;
  session: Client<BlobContentServiceDefinition>;
  log: Logger;
}): Blobs {
  const { cache, session, log } = dependencies;
  const fetches = new Map<string, Promise<void>>();

  /** One fetch serves all who need the blob, and goes on if they leave. */
  const fetchOnce = (key: string, organizationId: string, sha256: string): Promise<void> => {
    const running = fetches.get(key);
    if (running) return running;
    const caller = Caller.create({ organizationId });
    const pieces = session.fetchBlob({ sha256 }, { caller, signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
    const fetching = cache.write(key, checkedPieces(pieces, sha256)).finally(() => fetches.delete(key));
    fetches.set(key, fetching);
    return fetching;
  };

  const openKept = async (key: string, sha256: string): Promise<OpenBlob | undefined> => {
    const file = await cache.open(key);
    if (!file) return undefined;
    const opened = await openChecked(file, sha256);
    if (opened) return opened;
    log.warn({ sha256 }, 'a cached blob is damaged; it is fetched again');
    await cache.remove(key);
    return undefined;
  };

  return {
    async open(organizationId, sha256, signal) {
      if (!SHA256.test(sha256) || !ORGANIZATION_ID.test(organizationId))
        throw new DrydockError('INTERNAL', 'an execution spec names a blob that cannot be');
      const key = join(organizationId, sha256);
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const kept = await openKept(key, sha256);
        if (kept) {
          if (attempt === 0) reads.inc({ source: 'disk' });
          return kept;
        }
        reads.inc({ source: 'session' });
        await untilDone(fetchOnce(key, organizationId, sha256), signal);
      }
      throw new DrydockError('SERVICE_UNAVAILABLE', 'a blob was evicted each time before it was used');
    },
  };
}

/** Files of a program, those that are blobs among them. */
export async function openFiles(
  blobs: Blobs,
  organizationId: string,
  files: readonly SourceFile[],
  signal: AbortSignal,
): Promise<{ files: File[] } & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const all: File[] = [];
  for (const file of files) {
    if (file.content?.$case !== 'blob') all.push(fileOf(file));
    else
      all.push({
        name: file.name,
        data: opened.use(await blobs.open(organizationId, file.content.value, signal)).data,
      });
  }
  const moved = opened.move();
  return { files: all, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

async function* checkedPieces(pieces: AsyncIterable<{ data: Uint8Array }>, sha256: string): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const { data } of pieces) {
    bytes += data.length;
    if (bytes > MAX_BLOB_BYTES) throw new DrydockError('INTERNAL', `blob ${sha256} is larger than blobs may be`);
    hash.update(data);
    yield data;
  }
  if (hash.digest('hex') !== sha256) throw new DrydockError('INTERNAL', `session sent other bytes for blob ${sha256}`);
}

async function untilDone(work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const left = Promise.withResolvers<never>();
  const onAbort = () => left.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, left.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The bytes of a file with this hash; undefined for other bytes. Closes the file unless its bytes are still to be read. */
async function openChecked(file: FileHandle, sha256: string): Promise<OpenBlob | undefined> {
  await using closing = new AsyncDisposableStack();
  closing.use(file);
  const sizeBytes = (await file.stat()).size;
  if (sizeBytes <= IN_MEMORY_BYTES) {
    const data = await readPiece(file, 0, sizeBytes);
    if (createHash('sha256').update(data).digest('hex') !== sha256) return undefined;
    return { data, async [Symbol.asyncDispose]() {} };
  }
  const hash = createHash('sha256');
  for await (const piece of readAll(file, sizeBytes)) hash.update(piece);
  if (hash.digest('hex') !== sha256) return undefined;
  const open = closing.move();
  return {
    data: { sizeBytes, read: () => readAll(file, sizeBytes) },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function* readAll(file: FileHandle, sizeBytes: number): AsyncIterable<Buffer> {
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) yield readPiece(file, at, Math.min(PIECE_BYTES, sizeBytes - at));
}

async function readPiece(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafeSlow(length);
  for (let read = 0; read < length; ) {
    const { bytesRead } = await file.read(piece, read, length - read, at + read);
    if (bytesRead === 0) throw new DrydockError('INTERNAL', 'a cached blob became shorter while it was read');
    read += bytesRead;
  }
  return piece;
}
