import type { SourceFile } from '#proto/drydock/v1/execution.ts';

/** Maximum bytes in one message to the agent. */
export const PIECE_BYTES = 256 * 1024;

/** Bytes that are read piece by piece, from the start each time. */
export type Content = { readonly sizeBytes: number; read(): AsyncIterable<Buffer> };

/** Bytes in memory, or more than belong there. */
export type Data = Buffer | Content;

/** The standard input of a command. Of an iterable each piece is given when it comes; one that throws ends the command. */
export type Input = Data | AsyncIterable<Uint8Array>;

/** A file of a program. */
export type File = { name: string; data: Data };

export function sizeOf(data: Data): number {
  return Buffer.isBuffer(data) ? data.length : data.sizeBytes;
}

/** Cuts data into messages for the agent; empty data is one empty piece. */
export async function* piecesOf(data: Data): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(data))
    for (let at = 0; at === 0 || at < data.length; at += PIECE_BYTES) yield data.subarray(at, at + PIECE_BYTES);
  else yield* data.read();
}

/** Whether an input goes with the start of a command. */
export function isInline(stdin: Input): stdin is Buffer {
  return Buffer.isBuffer(stdin) && stdin.length <= PIECE_BYTES;
}

/** The pieces of an input for messages to the agent. */
export async function* inputOf(stdin: Input): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(stdin) || 'sizeBytes' in stdin) yield* piecesOf(stdin);
  else for await (const data of stdin) yield* piecesOf(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
}

export async function bufferOf(data: Data): Promise<Buffer> {
  return Buffer.isBuffer(data) ? data : Buffer.concat(await Array.fromAsync(data.read()));
}

/** A file whose bytes came with the execution. */
export function fileOf({ name, content }: SourceFile): File {
  return { name, data: Buffer.from(content?.value ?? '') };
}
