import { setImmediate as otherWork } from 'node:timers/promises';
import type { Comparison } from '#proto/drydock/v1/execution.ts';

// After so many lines or words others get their turn: an output of millions of them must not hold up every other call.
const AT_A_STRETCH = 8_192;

const NEWLINE = 0x0a;
// Every part has only one way to match, so that a long word costs no more than its length.
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Whether a program's output is what was expected, byte by byte: what is not UTF-8 equals nothing that is. Takes time in
 * proportion to the shorter of the two, and copies neither.
 */
export async function matches(
  output: Buffer,
  expected: Buffer,
  comparison: Comparison,
  tolerance: number,
): Promise<boolean> {
  if (output.equals(expected)) return true;
  switch (comparison) {
    case 'EXACT':
      return false;
    case 'TOKENS':
      return samePieces(wordsOf(output), wordsOf(expected), () => false);
    case 'FLOAT':
      return samePieces(wordsOf(output), wordsOf(expected), (a, b) => nearly(a, b, tolerance));
    case 'TRAILING_SPACE':
    case 'COMPARISON_UNSPECIFIED':
      return samePieces(linesOf(output), linesOf(expected), () => false);
  }
}

/** A text that is read piece by piece: `next` moves `start` and `end` to the next one, and says whether there is one. */
type Pieces = { readonly bytes: Buffer; start: number; end: number; next(): boolean };

/** `similar` decides on pieces that are not equal. */
async function samePieces(a: Pieces, b: Pieces, similar: (a: string, b: string) => boolean): Promise<boolean> {
  for (let count = 1; ; count++) {
    const [more, expectsMore] = [a.next(), b.next()];
    if (!more || !expectsMore) return more === expectsMore;
    const equal = a.bytes.compare(b.bytes, b.start, b.end, a.start, a.end) === 0;
    if (!equal && !similar(textOf(a), textOf(b))) return false;
    if (count % AT_A_STRETCH === 0) await otherWork();
  }
}

function textOf({ bytes, start, end }: Pieces): string {
  return bytes.toString('latin1', start, end);
}

function wordsOf(bytes: Buffer): Pieces {
  return {
    bytes,
    start: 0,
    end: 0,
    next() {
      this.start = this.end;
      while (isBlank(bytes[this.start])) this.start++;
      this.end = this.start;
      while (this.end < bytes.length && !isBlank(bytes[this.end])) this.end++;
      return this.start < this.end;
    },
  };
}

/** Lines without the blanks at their ends, up to the last one that is not blank. */
function linesOf(bytes: Buffer): Pieces {
  const length = withoutBlanks(bytes, 0, bytes.length);
  let at = 0;
  return {
    bytes,
    start: 0,
    end: 0,
    next() {
      if (at >= length) return false;
      const newline = bytes.indexOf(NEWLINE, at);
      const lineEnd = newline < 0 || newline > length ? length : newline;
      this.start = at;
      this.end = withoutBlanks(bytes, at, lineEnd);
      at = lineEnd + 1;
      return true;
    },
  };
}

function withoutBlanks(bytes: Buffer, start: number, end: number): number {
  let last = end;
  while (last > start && isBlank(bytes[last - 1])) last--;
  return last;
}

/** Space, tab, line feed, vertical tab, form feed, carriage return. */
function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

function nearly(a: string, b: string, tolerance: number): boolean {
  if (!NUMBER.test(a) || !NUMBER.test(b)) return false;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y));
}
