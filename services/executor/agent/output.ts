import { isUtf8 } from 'node:buffer';
import type { Output } from '#proto/drydock/v1/resources.ts';

/**
 * Cuts a stream's chunks into pieces that end on character boundaries: text if they are valid UTF-8, else bytes. `end()` returns
 * the bytes of an incomplete character.
 */
export function createOutput(): { push(offset: number, data: Uint8Array): Output[]; end(): Output[] } {
  let held: Buffer = Buffer.alloc(0);
  let at = 0;
  return {
    push(offset, data) {
      // A gap: the agent has dropped old output of a process that was joined late.
      if (offset !== at + held.length) {
        held = Buffer.alloc(0);
        at = offset;
      }
      const bytes =
        held.length > 0 ? Buffer.concat([held, data]) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      const end = bytes.length - unfinished(bytes);
      const pieces = pieceOf(at, bytes.subarray(0, end));
      held = Buffer.from(bytes.subarray(end));
      at += end;
      return pieces;
    },
    end() {
      const pieces = pieceOf(at, held);
      held = Buffer.alloc(0);
      return pieces;
    },
  };
}

function pieceOf(offset: number, bytes: Buffer): Output[] {
  if (bytes.length === 0) return [];
  if (isUtf8(bytes)) return [{ offset, content: { $case: 'text', value: bytes.toString() } }];
  return [{ offset, content: { $case: 'data', value: bytes } }];
}

/** The number of bytes at the end that belong to an incomplete character. */
export function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}
