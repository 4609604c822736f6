import { SingleBar } from 'cli-progress';
import { showBytes, showMs } from './units.ts';

export type Bar = Disposable & { add(amount: number): void };

/** Less than this is over before a bar could be read. */
const SHOWN_FROM_BYTES = 4 * 1024 * 1024;

/** A bar on standard error, where that is a terminal, of a transfer of so much. */
export function startBar(totalBytes: number, signal: AbortSignal): Bar {
  if (totalBytes < SHOWN_FROM_BYTES) return { add() {}, [Symbol.dispose]() {} };
  return startLine(signal, totalBytes, (done, elapsedMs) => {
    const rate = done / Math.max(1, elapsedMs / 1_000);
    const left = rate > 0 ? showMs(((totalBytes - done) / rate) * 1_000) : '';
    return [`${showBytes(done)} of ${showBytes(totalBytes)}`, `${showBytes(Math.round(rate))}/s`, `${left} left`];
  });
}

/**
 * A line that is drawn again as something goes on: a bar, and as many of the parts as there is room for, the first ones first. On
 * standard error alone, and only where that is a terminal.
 */
export function startLine(
  signal: AbortSignal,
  total: number,
  partsOf: (done: number, elapsedMs: number) => readonly string[],
): Bar {
  const began = performance.now();
  const bar = new SingleBar({
    stream: process.stderr,
    fps: 8,
    hideCursor: true,
    clearOnComplete: true,
    emptyOnZero: true,
    linewrap: null,
    // It would otherwise take the signal for itself.
    gracefulExit: false,
    format: (_, { value }) => fitted(value / Math.max(1, total), partsOf(value, performance.now() - began)),
  });
  bar.start(total, 0);
  const stop = () => bar.stop();
  signal.addEventListener('abort', stop, { once: true });
  return {
    add: (amount) => bar.increment(amount),
    [Symbol.dispose]() {
      signal.removeEventListener('abort', stop);
      bar.stop();
    },
  };
}

const LONGEST_BAR = 30;
const SHORTEST_BAR = 6;

function fitted(share: number, parts: readonly string[]): string {
  // The last column stays free: some terminals go to the next line when it is written to.
  const columns = (process.stderr.columns || 80) - 1;
  let text = '';
  for (const part of parts) {
    if (!part) continue;
    if (text.length + 2 + part.length > columns) break;
    text += `${text ? '  ' : ''}${part}`;
  }
  const room = Math.min(LONGEST_BAR, columns - text.length - 2);
  if (room < SHORTEST_BAR) return text;
  const filled = Math.round(Math.min(1, share) * room);
  return `${'█'.repeat(filled)}${'░'.repeat(room - filled)}  ${text}`;
}
