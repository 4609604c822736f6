import { createHash } from 'node:crypto';
import { DrydockError } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { Logger } from '#libs/log.ts';
import { counter } from '#libs/telemetry.ts';
import type { BlobContentServiceDefinition } from '#proto/drydock/internal/v1/blob.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { type Data, type File, fileOf } from '../data.ts';
import { type DiskCache, type Entry, HASH_IN_NAME, openDiskCache } from '../disk-cache.ts';

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
  /** Removes the copies of a deleted organisation. */
  forget(organizationId: string): Promise<void>;
};

/** Opens a directory for copies of blobs, of at most this many bytes. */
export async function openBlobs(
  directory: string,
  maxBytes: number,
  session: Client<BlobContentServiceDefinition>,
  log: Logger,
): Promise<Blobs> {
  const cache = await openDiskCache({ cache: 'blobs', directory, maxBytes, verifier: HASH_IN_NAME, log });
  return createBlobs({ cache, session });
}

/** The beginning of the names of an organisation's entries. Ids have no dash, so none begins as another. */
function prefixOf(organizationId: string): string {
  return `${organizationId}-`;
}

/** Blobs by hash: from the disk, or from session. Each organisation has its own copies. */
export function createBlobs({
  cache,
  session,
}: {
  cache: DiskCache;
  session: Client<BlobContentServiceDefinition>;
}): Blobs {
  const fetches = new Map<string, Promise<void>>();

  /** False if other fetches leave no room for it. */
  const fetch = async (key: string, organizationId: string, sha256: string): Promise<boolean> => {
    const caller = Caller.create({ organizationId });
    const pieces = session.fetchBlob({ sha256 }, { caller, signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
    await using draft = await cache.create(key);
    for await (const data of checkedPieces(pieces, sha256)) if (!(await draft.write(data))) return false;
    await draft.commit();
    return true;
  };

  /** Gives way to other fetches where the cache has no room for all of them; there is room for one. */
  const fetchInTurn = async (key: string, organizationId: string, sha256: string): Promise<void> => {
    while (!(await fetch(key, organizationId, sha256))) {
      const others = [...fetches].filter(([other]) => other !== key).map(([, fetching]) => fetching);
      if (others.length === 0) throw new DrydockError('INTERNAL', `blob ${sha256} is larger than the cache`);
      await Promise.race(others).catch(() => {});
    }
  };

  /** One fetch serves all who need the blob, and goes on if they leave. */
  const fetchOnce = (key: string, organizationId: string, sha256: string): Promise<void> => {
    const running = fetches.get(key);
    if (running) return running;
    const fetching = fetchInTurn(key, organizationId, sha256).finally(() => fetches.delete(key));
    fetches.set(key, fetching);
    return fetching;
  };

  return {
    forget: (organizationId) => cache.remove(prefixOf(organizationId)),

    async open(organizationId, sha256, signal) {
      if (!SHA256.test(sha256) || !ORGANIZATION_ID.test(organizationId))
        throw new DrydockError('INTERNAL', 'an execution spec names a blob that cannot be');
      const key = `${prefixOf(organizationId)}${sha256}`;
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const entry = await cache.find(key);
        if (entry) {
          if (attempt === 0) reads.inc({ source: 'disk' });
          return await openEntry(entry);
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

/** The bytes of an entry. Closes it unless they are still to be read. */
async function openEntry(entry: Entry): Promise<OpenBlob> {
  const { bytes: sizeBytes } = entry;
  if (sizeBytes > IN_MEMORY_BYTES)
    return {
      data: { sizeBytes, read: () => entry.read(0) },
      [Symbol.asyncDispose]: () => entry[Symbol.asyncDispose](),
    };
  await using _closing = entry;
  return { data: Buffer.concat(await Array.fromAsync(entry.read(0))), async [Symbol.asyncDispose]() {} };
}
