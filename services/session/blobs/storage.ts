/** Bytes of one piece; a content's last one may be shorter. */
export const PIECE_BYTES = 1024 * 1024;

/** A content that is being written. */
export type ContentWriter = {
  /** Writes the next piece. Resolves when another one may be given. */
  write(piece: Buffer): Promise<void>;
  /** Resolves when all pieces are durable. */
  finish(): Promise<void>;
  /** Gives up what was written and is no use to anybody; `Storage.remove` is called as well. */
  abort(): Promise<void>;
};

/** Where the bytes of contents lie. */
export type Storage = {
  /** Name in `blob_contents.storage`. */
  readonly name: 'POSTGRESQL' | 'S3';
  open(contentId: string): ContentWriter;
  /** Bytes from `from` to before `to`, in pieces of at most 256 KiB. Ends early if the content was removed. */
  read(contentId: string, from: number, to: number): AsyncIterable<Buffer>;
  /** Removes a content. Succeeds if there is none. */
  remove(contentId: string): Promise<void>;
};

export type Storages = {
  /** Where new contents are written. */
  current: Storage;
  /** Where a content lies, by its name. Throws if that storage is not configured. */
  of(name: string): Storage;
};

export function createStorages(current: Storage, ...others: Storage[]): Storages {
  const all = new Map([current, ...others].map((storage) => [storage.name as string, storage]));
  return {
    current,
    of(name) {
      const storage = all.get(name);
      if (!storage) throw new Error(`blobs lie in ${name}, which is not configured`);
      return storage;
    },
  };
}
