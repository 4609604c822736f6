/** Bytes of an output that a model gets: its beginning, where most programs say what they do, and its end, where they say how it went. */
const HEAD_BYTES = 16 * 1024;
const TAIL_BYTES = 8 * 1024;
/** How much of the end is held before all but the last is let go of. */
const COMPACTED_BYTES = 128 * 1024;

/** The beginning and the end of an output, whatever its length. */
export class Clip {
  #head: Uint8Array[] = [];
  #headRoom = HEAD_BYTES;
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  #bytes = 0;

  add(data: Uint8Array): void {
    this.#bytes += data.length;
    const head = data.subarray(0, this.#headRoom);
    if (head.length > 0) this.#head.push(head);
    this.#headRoom -= head.length;
    const rest = data.subarray(head.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    if (this.#tailBytes > COMPACTED_BYTES) this.#compact();
  }

  /** What came before the end is let go of. */
  #compact(): Buffer {
    const end = Buffer.from(Buffer.concat(this.#tail).subarray(-TAIL_BYTES));
    [this.#tail, this.#tailBytes] = [[end], end.length];
    return end;
  }

  /** Bytes of the whole output. */
  get bytes(): number {
    return this.#bytes;
  }

  get truncated(): boolean {
    return this.#bytes > HEAD_BYTES + TAIL_BYTES;
  }

  /** Where something is left out in between, a line says how much. */
  text(): string {
    const head = Buffer.concat(this.#head);
    const tail = this.#compact();
    if (!this.truncated) return Buffer.concat([head, tail]).toString();
    return `${head.toString()}\n[${this.#bytes - HEAD_BYTES - TAIL_BYTES} bytes left out]\n${tail.toString()}`;
  }
}

/** The same of a text that is there already. */
export function clipped(text: string): { text: string; truncated: boolean } {
  const clip = new Clip();
  clip.add(Buffer.from(text));
  return { text: clip.text(), truncated: clip.truncated };
}
