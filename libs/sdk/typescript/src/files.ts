import { concat, toBytes, toText } from './bytes.ts';
import { type CallOptions, type Connection, method, UNLIMITED } from './connection.ts';
import { InvalidArgumentError, NotFoundError } from './errors.ts';
import {
  type FileInfo as FileInfoMessage,
  FileServiceDefinition,
  WriteFileRequest,
} from './generated/drydock/v1/file.ts';
import { CALL_OPTIONS, refuseOthers } from './options.ts';
import { Paged } from './paged.ts';
import { piecesOfBytes } from './pieces.ts';

const [READ, WRITE, STAT, LIST, MAKE, MOVE, REMOVE] = [
  method(FileServiceDefinition, 'readFile'),
  method(FileServiceDefinition, 'writeFile'),
  method(FileServiceDefinition, 'statFile'),
  method(FileServiceDefinition, 'listFiles'),
  method(FileServiceDefinition, 'makeDirectory'),
  method(FileServiceDefinition, 'moveFile'),
  method(FileServiceDefinition, 'removeFile'),
];

export type FileInfo = {
  name: string;
  /** Absolute. */
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'other';
  sizeBytes: number;
  /** Permission bits, such as 0o644. */
  mode: number;
  modifyTime: Date | undefined;
  /** Where a symbolic link points. */
  linkTarget: string | undefined;
};

/** What is written: text, bytes, or pieces of bytes as they come, such as a `ReadableStream` or a stream of Node. */
export type FileContent = string | Uint8Array | Blob | AsyncIterable<Uint8Array>;

export type ReadOptions = CallOptions & {
  /** Where to begin. Default 0. */
  offsetBytes?: number;
  /** At most this many bytes. Default: to the end. */
  lengthBytes?: number;
};

export type WriteOptions = CallOptions & {
  /** Permission bits of a new file. Default 0o644. */
  mode?: number;
};

/**
 * Files of one sandbox. A path is absolute, or relative to the home. Methods throw NotFoundError, PermissionDeniedError,
 * ConflictError (a directory where a file is needed, or the reverse) and SandboxNotRunningError as fits.
 */
export class Files {
  readonly #connection: Connection;
  readonly #sandboxId: string;

  constructor(connection: Connection, sandboxId: string) {
    this.#connection = connection;
    this.#sandboxId = sandboxId;
  }

  /** The content of a file, by default as text. A stream is read as fast as its reader takes it, however large the file. */
  read(path: string, options: ReadOptions & { format: 'bytes' }): Promise<Uint8Array>;
  read(path: string, options: ReadOptions & { format: 'stream' }): Promise<ReadableStream<Uint8Array>>;
  read(path: string, options?: ReadOptions & { format?: 'text' }): Promise<string>;
  async read(
    path: string,
    options: ReadOptions & { format?: 'text' | 'bytes' | 'stream' } = {},
  ): Promise<string | Uint8Array | ReadableStream<Uint8Array>> {
    refuseOthers(options, ['format', 'offsetBytes', 'lengthBytes', ...CALL_OPTIONS]);
    const { format = 'text' } = options;
    if (!['text', 'bytes', 'stream'].includes(format))
      throw new InvalidArgumentError(`format is text, bytes or stream, not '${format}'`);
    const pieces = this.#pieces(path, options);
    if (format === 'stream') {
      const first = await pieces.next();
      return streamOf(first, pieces);
    }
    const all: Uint8Array[] = [];
    for await (const piece of pieces) all.push(piece);
    const bytes = concat(all);
    return format === 'text' ? toText(bytes) : bytes;
  }

  /**
   * Writes a file and makes its parents. One that exists is replaced when the last byte has arrived, and not before. A stream is
   * read once, so a write of one is never repeated.
   */
  async write(path: string, content: FileContent, options: WriteOptions = {}): Promise<FileInfo> {
    refuseOthers(options, ['mode', ...CALL_OPTIONS]);
    const { mode } = options;
    const head = WriteFileRequest.create({ sandboxId: this.#sandboxId, path, mode });
    const requests = async function* () {
      yield head;
      for await (const data of piecesOf(content)) yield WriteFileRequest.create({ data });
    };
    // Streams are read once.
    const repeatable = typeof content === 'string' || content instanceof Uint8Array || content instanceof Blob;
    const kind = { repeatable, once: !repeatable, ...UNLIMITED };
    const { file } = await this.#connection.upload(WRITE, requests, options, kind);
    return toInfo(file!);
  }

  /** Writes several files, eight at a time. */
  async writeFiles(files: readonly { path: string; content: FileContent; mode?: number }[], options: CallOptions = {}) {
    const rest = files.entries();
    const written: FileInfo[] = [];
    const writer = async () => {
      for (const [at, { path, content, mode }] of rest)
        written[at] = await this.write(path, content, { ...options, ...(mode === undefined ? {} : { mode }) });
    };
    await Promise.all(Array.from({ length: Math.min(8, files.length) }, writer));
    return written;
  }

  /** Entries of a directory, by name. Default: the home. */
  list(path = '', options: CallOptions = {}): Paged<FileInfo> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const request = { sandboxId: this.#sandboxId, path, pageSize: 0, pageToken };
      const { files, nextPageToken } = await this.#connection.unary(LIST, request, options, { repeatable: true });
      return { items: files.map(toInfo), nextPageToken };
    });
  }

  /** What is at a path. A symbolic link is described, not followed. */
  async getInfo(path: string, options: CallOptions = {}): Promise<FileInfo> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { sandboxId: this.#sandboxId, path };
    const { file } = await this.#connection.unary(STAT, request, options, { repeatable: true });
    return toInfo(file!);
  }

  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.getInfo(path, options);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError && error.reason === 'FILE_NOT_FOUND') return false;
      throw error;
    }
  }

  /** Makes a directory and its parents. One that exists is a success. */
  async makeDir(path: string, options: CallOptions = {}): Promise<FileInfo> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { sandboxId: this.#sandboxId, path };
    const { file } = await this.#connection.unary(MAKE, request, options, { repeatable: true });
    return toInfo(file!);
  }

  /** Moves a file or directory. A file at the destination is replaced, and its parents are made. */
  async rename(path: string, destination: string, options: CallOptions = {}): Promise<FileInfo> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { sandboxId: this.#sandboxId, path, destination };
    const { file } = await this.#connection.unary(MOVE, request, options, { repeatable: false });
    return toInfo(file!);
  }

  /** Removes a file, a link, or with `recursive` a directory with all that is in it. */
  async remove(path: string, options: CallOptions & { recursive?: boolean } = {}): Promise<void> {
    refuseOthers(options, ['recursive', ...CALL_OPTIONS]);
    const { recursive = false, ...callOptions } = options;
    const request = { sandboxId: this.#sandboxId, path, recursive };
    await this.#connection.unary(REMOVE, request, callOptions, { repeatable: false });
  }

  async *#pieces(path: string, options: ReadOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const { offsetBytes = 0, lengthBytes, signal, requestTimeout, requestTimeoutMs } = options;
    const request = { sandboxId: this.#sandboxId, path, offsetBytes, lengthBytes };
    const callOptions = {
      ...(signal ? { signal } : {}),
      ...(requestTimeout === undefined ? {} : { requestTimeout }),
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    };
    const answers = this.#connection.stream(READ, request, callOptions, { repeatable: true });
    for await (const { data } of answers) yield data;
  }
}

/** Its first piece is there already, so that a file which does not exist is told of at once. */
function streamOf(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
): ReadableStream<Uint8Array> {
  let next: IteratorResult<Uint8Array, void> | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = next ?? (await rest.next());
        next = undefined;
        if (piece.done) controller.close();
        else controller.enqueue(piece.value);
      },
      async cancel() {
        await rest.return();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* piecesOf(content: FileContent): AsyncGenerator<Uint8Array, void, undefined> {
  if (typeof content === 'string') return yield* piecesOfBytes(toBytes(content));
  if (content instanceof Uint8Array) return yield* piecesOfBytes(content);
  const pieces = content instanceof Blob ? (content.stream() as unknown as AsyncIterable<Uint8Array>) : content;
  for await (const piece of pieces) yield* piecesOfBytes(typeof piece === 'string' ? toBytes(piece) : piece);
}

const TYPES: Record<string, FileInfo['type']> = { FILE: 'file', DIRECTORY: 'directory', SYMLINK: 'symlink' };

function toInfo({ type, linkTarget, ...info }: FileInfoMessage): FileInfo {
  return { ...info, type: TYPES[type] ?? 'other', linkTarget: linkTarget || undefined };
}
