import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

const PIECE_BYTES = 64 * 1024;

export type Writer = {
  /** Resolves when more may be written. Throws if the client has left. */
  write(data: Uint8Array | string): Promise<void>;
  /** Writes the last bytes, and resolves when the client's connection has taken them. */
  end(data?: Uint8Array | string): Promise<void>;
};

/** The client left, or did not read. Nobody is there to be told. */
export class ClientGone extends Error {
  override name = 'ClientGone';
}

/**
 * Writes no faster than the client reads, so that a slow one holds no more than a piece. One that takes less than
 * 64 KiB in `idleMs` is cut off.
 */
export function createWriter(response: ServerResponse, idleMs: number): Writer {
  const waitFor = async (event: 'drain' | 'finish') => {
    const timer = setTimeout(() => response.destroy(), idleMs);
    const gone = new AbortController();
    const onClose = () => gone.abort();
    response.once('close', onClose);
    try {
      if (response.destroyed) throw new ClientGone();
      await once(response, event, { signal: gone.signal });
    } catch {
      throw new ClientGone();
    } finally {
      clearTimeout(timer);
      response.off('close', onClose);
    }
  };
  const write = async (data: Uint8Array | string) => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      if (response.destroyed) throw new ClientGone();
      if (!response.write(bytes.subarray(at, at + PIECE_BYTES))) await waitFor('drain');
    }
  };
  return {
    write,
    async end(data = '') {
      await write(data);
      const finished = waitFor('finish');
      response.end();
      await finished;
    },
  };
}
