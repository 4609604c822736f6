import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failures.ts';
import { serveHttp } from '../mcp/http.ts';
import { createServer } from '../mcp/server.ts';
import { Session } from '../mcp/session.ts';

/** Serves the tools until the client, or the user, ends it. Sandboxes of its sessions are deleted. */
export async function mcp(context: Context, { http }: { http?: string }): Promise<number> {
  if (http !== undefined) return overHttp(context, parseAddress(http));
  const session = new Session(await context.connect());
  context.defer(() => session[Symbol.asyncDispose]());
  const served = serveStdio(() => createServer(session));
  const ended = Promise.withResolvers<void>();
  process.stdin.once('close', ended.resolve).once('end', ended.resolve);
  context.signal.addEventListener('abort', () => ended.resolve(), { once: true });
  await ended.promise;
  await served.close();
  context.signal.throwIfAborted();
  return EXIT.ok;
}

async function overHttp({ options, signal }: Context, address: { host: string; port: number }): Promise<number> {
  const { Drydock } = await import('../../../sdk/typescript/src/index.ts');
  const { resolveSettings } = await import('../../../sdk/typescript/src/config.ts');
  // The key is that of each request.
  const { url } = resolveSettings({ ...options, apiKey: 'of each request' });
  const connect = async (apiKey: string) => new Drydock({ url, apiKey });
  await using served = await serveHttp({ ...address, connect });
  process.stderr.write(`tools for agents at ${served.url}\n`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return EXIT.ok;
}

function parseAddress(text: string): { host: string; port: number } {
  const [, host = '127.0.0.1', port] = /^(?:\[?([^\]]*?)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) throw new UsageError('--http is [HOST:]PORT, such as 8931.');
  return { host: host || '127.0.0.1', port: Number(port) };
}
