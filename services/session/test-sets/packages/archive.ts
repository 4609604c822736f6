import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { DrydockError } from '#libs/errors.ts';
import type { Storage } from '../../blobs/storage.ts';
import { packageError } from './findings.ts';

export const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024;
const MAX_ENTRIES = 20_000;
const MAX_UNPACKED_BYTES = 1024 ** 3;
const MAX_PATH_BYTES = 1024;
const PAGE_BYTES = 256 * 1024;
const PAGES = 16;
const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const MADE_BY_UNIX = 3;

/** A file of an archive. */
export type ArchiveFile = {
  path: string;
  sizeBytes: number;
  /** Its bytes, checked at the end. Errors: PACKAGE_INVALID. */
  read(): AsyncIterable<Buffer>;
};

/**
 * The files of a zip that lies in a storage, by path. Nothing is unpacked before it is read, and what is read is held to the size
 * that the zip's directory says. Errors: PACKAGE_INVALID, which names the file.
 */
export async function openArchive(
  storage: Storage,
  contentId: string,
  sizeBytes: number,
): Promise<Map<string, ArchiveFile>> {
  const reader = new StoredFile(storage, contentId, sizeBytes);
  const zip = await fromRandomAccessReaderPromise(reader, sizeBytes, { strictFileNames: true, autoClose: false }).catch(
    (error) => {
      throw reader.failure ?? invalid('the zip', error.message);
    },
  );
  if (zip.entryCount > MAX_ENTRIES) throw invalid('the zip', `has ${zip.entryCount} entries, more than ${MAX_ENTRIES}`);
  const files = new Map<string, ArchiveFile>();
  let unpackedBytes = 0;
  for await (const entry of entriesOf(zip, reader)) {
    checkEntry(entry);
    unpackedBytes += entry.uncompressedSize;
    if (unpackedBytes > MAX_UNPACKED_BYTES) throw invalid('the zip', 'has more than 1 GiB unpacked');
    const path = entry.fileName;
    if (path.endsWith('/')) continue;
    if (files.has(path)) throw invalid(path, 'is in the zip twice');
    files.set(path, { path, sizeBytes: entry.uncompressedSize, read: () => unpack(zip, entry, reader) });
  }
  return files;
}

function invalid(file: string, description: string) {
  return packageError('PACKAGE_INVALID', [[file, description]]);
}

async function* entriesOf(zip: ZipFile, reader: StoredFile): AsyncIterable<Entry> {
  let last = 'its beginning';
  try {
    for await (const entry of zip.eachEntry()) {
      last = entry.fileName;
      yield entry;
    }
  } catch (error) {
    if (error instanceof DrydockError) throw error;
    throw (
      reader.failure ?? invalid('the zip', `${error instanceof Error ? error.message : 'is no zip'}, after ${last}`)
    );
  }
}

function checkEntry(entry: Entry): void {
  const { fileName, versionMadeBy, externalFileAttributes, fileNameLength } = entry;
  if (fileNameLength > MAX_PATH_BYTES) throw invalid(fileName, `has a path of more than ${MAX_PATH_BYTES} bytes`);
  if (fileName.includes('\0')) throw invalid(fileName.replaceAll('\0', '?'), 'has a NUL character in its path');
  const type = versionMadeBy >> 8 === MADE_BY_UNIX ? (externalFileAttributes >>> 16) & FILE_TYPE : 0;
  if (type !== 0 && type !== REGULAR && type !== DIRECTORY) throw invalid(fileName, 'is a link or a device');
  if (entry.isEncrypted()) throw invalid(fileName, 'is encrypted');
  if (!entry.canDecodeFileData())
    throw invalid(fileName, `is packed by method ${entry.compressionMethod}, not by deflate`);
}

async function* unpack(zip: ZipFile, entry: Entry, reader: StoredFile): AsyncIterable<Buffer> {
  let checksum = 0;
  try {
    for await (const piece of await zip.openReadStreamPromise(entry)) {
      checksum = crc32(piece, checksum);
      yield piece;
    }
  } catch (error) {
    throw reader.failure ?? invalid(entry.fileName, error instanceof Error ? error.message : 'cannot be unpacked');
  }
  if (checksum !== entry.crc32) throw invalid(entry.fileName, 'is damaged: its checksum differs');
}

/** A content as yauzl reads it: by pages, since it asks for a few bytes at a time. */
class StoredFile extends RandomAccessReader {
  /** Why the storage could not be read: no fault of the zip. */
  failure: unknown;
  readonly #storage: Storage;
  readonly #contentId: string;
  readonly #sizeBytes: number;
  readonly #pages = new LRUCache<number, Promise<Buffer>>({ max: PAGES });

  constructor(storage: Storage, contentId: string, sizeBytes: number) {
    super();
    this.#storage = storage;
    this.#contentId = contentId;
    this.#sizeBytes = sizeBytes;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#range(start, end), { objectMode: false });
  }

  async *#range(start: number, end: number): AsyncIterable<Buffer> {
    for (let at = start; at < end; ) {
      const page = await this.#page(Math.floor(at / PAGE_BYTES));
      const from = at % PAGE_BYTES;
      const piece = page.subarray(from, from + end - at);
      if (piece.length === 0) throw new Error('unexpected end of the zip');
      at += piece.length;
      yield piece;
    }
  }

  #page(number: number): Promise<Buffer> {
    const known = this.#pages.get(number);
    if (known) return known;
    const from = number * PAGE_BYTES;
    const to = Math.min(from + PAGE_BYTES, this.#sizeBytes);
    const page = Array.fromAsync(this.#storage.read(this.#contentId, from, to)).then(Buffer.concat, (error) => {
      this.failure ??= error;
      throw error;
    });
    this.#pages.set(number, page);
    return page;
  }
}
