import type { ServerResponse } from 'node:http';

// A client that takes nothing for so long is not coming back for the rest.
const IDLE_WRITE_MS = 60_000;

/** A response's body, written no faster than it is read. The head goes out with the first bytes, so that an error may still come instead. */
export function openBody(response: ServerResponse, contentType: string) {
  const start = () => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
  };
  return {
    async write(data: string | Uint8Array): Promise<void> {
      start();
      if (response.destroyed) throw new DOMException('the client hung up', 'AbortError');
      if (response.write(data)) return;
      await drained(response);
    },
    end(): void {
      start();
      response.end();
    },
  };
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => response.destroy(), IDLE_WRITE_MS);
    const settle = (done: () => void) => () => {
      clearTimeout(timer);
      response.off('drain', onDrain).off('close', onClose);
      done();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(new DOMException('the client hung up', 'AbortError')));
    response.once('drain', onDrain).once('close', onClose);
  });
}
