import type { Server, ServerResponse } from 'node:http';

/** From the notice to the end: a request that was on its way arrives before. */
const NOTICE_MS = 500;

/**
 * Lets clients leave a server that is about to stop. A connection that is closed while its client sends a request loses it, so
 * each is told first, by the answer to a request, not to send another one.
 */
export function announceLeaving(server: Server): { announce(): Promise<void> } {
  const answering = new Set<ServerResponse>();
  let leaving = false;
  server.prependListener('request', (_, response: ServerResponse) => {
    if (leaving) response.shouldKeepAlive = false;
    answering.add(response);
    response.once('close', () => answering.delete(response));
  });
  return {
    /** Resolves when clients had the time to hear it; at once where there is no connection. */
    async announce() {
      leaving = true;
      for (const response of answering) if (!response.headersSent) response.shouldKeepAlive = false;
      const connections = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
      if (connections > 0) await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
    },
  };
}
