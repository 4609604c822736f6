import { isUtf8 } from 'node:buffer';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Comparison } from '#proto/drydock/v1/execution.ts';

// Yields to the event loop after this many lines or words: an output of millions of them must not block other calls.
const YIELD_AFTER = 8_192;

const NEWLINE = 0x0a;
// Every part matches in only one way, so that the time is linear in the length of the word.
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** How far numbers may be apart: by this much, or by this part of the one that was expected. */
export type Tolerances = { absolute: number; relative: number };

/**
 * Whether a program's output equals the expected output, byte by byte: invalid UTF-8 never equals text. Takes linear time in the
 * shorter of the two, and copies neither.
 */
export async function matches(
  output: Buffer,
  expected: Buffer,
  comparison: Comparison,
  tolerances: Tolerances,
): Promise<boolean> {
  if (output.equals(expected)) return true;
  switch (comparison) {
    case 'EXACT':
      return false;
    case 'TOKENS':
      return samePieces(wordsOf(output), wordsOf(expected), () => false);
    case 'FLOAT':
      return samePieces(wordsOf(output), wordsOf(expected), (a, b) => nearly(a, b, tolerances));
    case 'TRAILING_SPACE':
    case 'COMPARISON_UNSPECIFIED':
      return samePieces(linesOf(output), linesOf(expected), () => false);
  }
}

/** A text with small letters instead of capitals; what is not valid UTF-8 stays as it is. */
export function inSmallLetters(output: Buffer): Buffer {
  return isUtf8(output) ? Buffer.from(output.toString().toLowerCase()) : output;
}

/** A cursor over the lines or words of a text: `next` moves `start` and `end` to the next one; false if there is none. */
type Pieces = { readonly bytes: Buffer; start: number; end: number; next(): boolean };

/** Compares piece by piece; `similar` decides on pieces that differ. */
async function samePieces(a: Pieces, b: Pieces, similar: (a: string, b: string) => boolean): Promise<boolean> {
  for (let count = 1; ; count++) {
    const [more, expectsMore] = [a.next(), b.next()];
    if (!more || !expectsMore) return more === expectsMore;
    const equal = a.bytes.compare(b.bytes, b.start, b.end, a.start, a.end) === 0;
    if (!equal && !similar(textOf(a), textOf(b))) return false;
    if (count % YIELD_AFTER === 0) await yieldToOthers();
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

/** Lines without trailing blanks, up to the last line that is not blank. */
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

function nearly(a: string, b: string, { absolute, relative }: Tolerances): boolean {
  if (!NUMBER.test(a) || !NUMBER.test(b)) return false;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= Math.max(absolute, relative * Math.abs(y));
}
