import { isUtf8 } from 'node:buffer';
import type { Output } from '#proto/drydock/v1/resources.ts';

/**
 * Cuts a stream's chunks into pieces that end on character boundaries: text if they are valid UTF-8, else bytes. `end()` returns
 * the bytes of an incomplete character, unless it was us who cut the stream there.
 */
export function createOutput(): { push(offset: number, data: Uint8Array): Output[]; end(isCut: boolean): Output[] } {
  let held: Buffer = Buffer.alloc(0);
  let at = 0;
  return {
    push(offset, data) {
      const given = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      // A gap: the agent has dropped old output of a process that was joined late, perhaps in the middle of a character.
      const isGap = offset !== at + held.length;
      const start = isGap ? continued(given) : 0;
      if (isGap) {
        held = Buffer.alloc(0);
        at = offset;
      }
      const bytes = held.length > 0 ? Buffer.concat([held, given]) : given;
      const end = Math.max(start, bytes.length - unfinished(bytes));
      const pieces = [...pieceOf(at, bytes.subarray(0, start)), ...pieceOf(at + start, bytes.subarray(start, end))];
      held = Buffer.from(bytes.subarray(end));
      at += end;
      return pieces;
    },
    end(isCut) {
      const pieces = isCut ? [] : pieceOf(at, held);
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

/** The first bytes of an output, at most this many, cut at the end of a character. */
export function firstOf(output: Buffer, bytes: number): Buffer {
  return output.length <= bytes ? output : wholeCharacters(output.subarray(0, bytes));
}

/** An output that was cut, without the character that was cut in two. */
export function wholeCharacters(cut: Buffer): Buffer {
  return cut.subarray(0, cut.length - unfinished(cut));
}

/** The number of bytes at the end that belong to an incomplete character. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}

/** The number of bytes of a character that begins with this one. None begins with 0xc0, 0xc1, or 0xf5 and above. */
function lengthOf(first: number): number {
  if (first < 0xc2 || first > 0xf4) return 1;
  return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}

/** The number of bytes at the beginning that belong to a character before them. */
function continued(bytes: Buffer): number {
  let count = 0;
  while (count < Math.min(3, bytes.length) && (bytes[count]! & 0xc0) === 0x80) count++;
  return count;
}
