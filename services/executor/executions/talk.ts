import { firstOf } from '../agent/output.ts';

const TRANSCRIPT_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** One direction of a talk: what one program writes and another reads. It holds no more than its writer may write in all. */
export type Pipe = AsyncIterable<Uint8Array> & {
  write(data: Uint8Array): void;
  /** The writer has ended: the reader gets what was written, and then the end. */
  end(): void;
  /** The reader has ended: what it has not read, and what is written later, is dropped. */
  drop(): void;
};

export function createPipe(maxBytes: number): Pipe {
  let held: Uint8Array[] = [];
  let written = 0;
  let hasEnded = false;
  let changed = Promise.withResolvers<void>();
  const tell = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  return {
    write(data) {
      const piece = data.subarray(0, maxBytes - written);
      if (hasEnded || piece.length === 0) return;
      written += piece.length;
      held.push(piece);
      tell();
    },
    end() {
      hasEnded = true;
      tell();
    },
    drop() {
      hasEnded = true;
      held = [];
      tell();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const wake = changed.promise;
        for (let piece = held.shift(); piece; piece = held.shift()) yield piece;
        if (hasEnded) return;
        await wake;
      }
    },
  };
}

export type Speaker = 'program' | 'interactor';

const SIGNS: Record<Speaker, Buffer> = { program: Buffer.from('< '), interactor: Buffer.from('> ') };

export type Transcript = { add(speaker: Speaker, data: Uint8Array): void; bytes(): Buffer };

/** The first 64 KiB of a talk, line by line with a sign for who said it. */
export function createTranscript(): Transcript {
  const pieces: Buffer[] = [];
  let length = 0;
  let last: Speaker | undefined;
  let isLineOpen = false;
  const push = (piece: Buffer) => {
    pieces.push(piece);
    length += piece.length;
  };
  return {
    add(speaker, data) {
      if (isLineOpen && last !== speaker) {
        push(Buffer.of(NEWLINE));
        isLineOpen = false;
      }
      last = speaker;
      for (let at = 0; at < data.length && length < TRANSCRIPT_BYTES; ) {
        const newline = data.indexOf(NEWLINE, at);
        const end = newline < 0 ? data.length : newline + 1;
        if (!isLineOpen) push(SIGNS[speaker]);
        push(Buffer.from(data.subarray(at, Math.min(end, at + TRANSCRIPT_BYTES))));
        isLineOpen = newline < 0;
        at = end;
      }
    },
    bytes: () => firstOf(Buffer.concat(pieces), TRANSCRIPT_BYTES),
  };
}
