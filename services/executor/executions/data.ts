import type { SourceFile } from '#proto/drydock/v1/execution.ts';

/** Maximum bytes in one message to the agent. */
export const PIECE_BYTES = 256 * 1024;

/** Bytes that are read piece by piece, from the start each time. */
export type Content = { readonly sizeBytes: number; read(): AsyncIterable<Buffer> };

/** Bytes in memory, or more than belong there. */
export type Data = Buffer | Content;

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

export async function bufferOf(data: Data): Promise<Buffer> {
  return Buffer.isBuffer(data) ? data : Buffer.concat(await Array.fromAsync(data.read()));
}

/** A file whose bytes came with the execution. */
export function fileOf({ name, content }: SourceFile): File {
  return { name, data: Buffer.from(content?.value ?? '') };
}
