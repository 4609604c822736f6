import { concat, toBytes } from './bytes.ts';
import { type CallOptions, type Connection, method, UNLIMITED } from './connection.ts';
import { InvalidArgumentError } from './errors.ts';
import { type Blob as BlobMessage, BlobServiceDefinition, PutBlobRequest } from './generated/drydock/v1/blob.ts';
import { CALL_OPTIONS, refuseOthers } from './options.ts';
import { piecesOfBytes } from './pieces.ts';

const [PUT, READ, STAT] = [
  method(BlobServiceDefinition, 'putBlob'),
  method(BlobServiceDefinition, 'readBlob'),
  method(BlobServiceDefinition, 'statBlobs'),
];

export type BlobInfo = BlobMessage;

/** Bytes that are sent once and named by their SHA-256, as 64 lower-case hexadecimal digits, from then on. */
export class Blobs {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Keeps text or bytes, to 256 MiB. Throws QuotaExceededError, InvalidArgumentError. */
  async put(content: string | Uint8Array, options: CallOptions = {}): Promise<BlobInfo> {
    refuseOthers(options, CALL_OPTIONS);
    const bytes = typeof content === 'string' ? toBytes(content) : content;
    const sha256 = await sha256Of(bytes);
    const requests = async function* () {
      yield PutBlobRequest.create({ sha256 });
      for (const data of piecesOfBytes(bytes)) yield PutBlobRequest.create({ data });
    };
    const { blob } = await this.#connection.upload(PUT, requests, options, { repeatable: true, ...UNLIMITED });
    return blob!;
  }

  /** The bytes of a blob. Throws NotFoundError. */
  async read(sha256: string, options: CallOptions = {}): Promise<Uint8Array> {
    refuseOthers(options, CALL_OPTIONS);
    const pieces: Uint8Array[] = [];
    for await (const { data } of this.#connection.stream(READ, { sha256 }, options, { repeatable: true }))
      pieces.push(data);
    return concat(pieces);
  }

  /** Which of up to 1,000 blobs are there, and which are not. */
  async stat(sha256s: readonly string[], options: CallOptions = {}): Promise<{ blobs: BlobInfo[]; missing: string[] }> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { sha256s: [...sha256s] };
    const answer = await this.#connection.unary(STAT, request, options, { repeatable: true });
    return { blobs: answer.blobs, missing: answer.missingSha256s };
  }
}

async function sha256Of(bytes: Uint8Array): Promise<string> {
  const { subtle } = globalThis.crypto;
  // Pages over plain HTTP, but of this machine, have none.
  if (!subtle) throw new InvalidArgumentError('a page puts blobs over https alone: a browser hashes in no other');
  const hash = new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
