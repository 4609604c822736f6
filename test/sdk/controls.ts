import { randomUUID } from 'node:crypto';
import fastify from 'fastify';
import { inject } from 'vitest';
import { zipOf } from '../support/zip.ts';
import { startGateway, startTlsGateway } from './gateway.ts';
import { startProxy } from './proxy.ts';

/**
 * Lends a program of another language what its scenarios break, over HTTP with JSON on loopback. Each `POST` answers
 * `{ id, … }`; what was lent ends with `DELETE /lent/{id}`, or with the controls.
 *
 * - `POST /proxies` → `url`: passes connections on to the platform. `POST /proxies/{id}/cut` breaks them all;
 *   `/lose-answers` breaks each at its next answer, until `/keep-answers`.
 * - `POST /gateways` → `url`: one more gateway. `POST /gateways/{id}/kill`, then `/start` at the same address.
 * - `POST /tls-gateways` → `url` (https), `otherHostUrl` (https, by a name that is not in its certificate), `httpUrl` (http to
 *   the same port), `ca` (PEM).
 * - `POST /zips` with `{ name: text }` → the bytes of a zip.
 * - `GET /page` → an empty page. With `forPage`, pages of this origin may call every gateway and proxy, and `httpUrl`.
 */
export async function startControls({ forPage = false } = {}) {
  const lent = new Map<string, AsyncDisposable>();
  const proxies = new Map<string, Awaited<ReturnType<typeof startProxy>>>();
  const gateways = new Map<string, Awaited<ReturnType<typeof startGateway>>>();
  const server = fastify();

  const lend = (what: AsyncDisposable): string => {
    const id = randomUUID();
    lent.set(id, what);
    return id;
  };
  const found = <T>(of: Map<string, T>, id: string): T => {
    const what = of.get(id);
    if (!what) throw new Error(`nothing was lent as ${id}`);
    return what;
  };

  server.addContentTypeParser('*', { parseAs: 'string' }, (_, body, done) => done(null, body));
  server.get('/page', (_, reply) => reply.type('text/html').send('<!doctype html><title>scenarios</title>'));
  server.post<{ Body: string }>('/zips', async ({ body }) => zipOf(JSON.parse(body)));

  server.post('/proxies', async () => {
    const proxy = await startProxy(Number(new URL(httpUrl).port));
    const id = lend(proxy);
    proxies.set(id, proxy);
    return { id, url: proxy.url };
  });
  server.post<OfOne>('/proxies/:id/cut', async ({ params }) => found(proxies, params.id).cut());
  server.post<OfOne>('/proxies/:id/lose-answers', async ({ params }) => found(proxies, params.id).loseAnswers(true));
  server.post<OfOne>('/proxies/:id/keep-answers', async ({ params }) => found(proxies, params.id).loseAnswers(false));

  server.post('/gateways', async () => {
    const gateway = await startGateway(environment);
    const id = lend(gateway);
    gateways.set(id, gateway);
    return { id, url: gateway.url };
  });
  server.post<OfOne>('/gateways/:id/kill', async ({ params }) => found(gateways, params.id).kill());
  server.post<OfOne>('/gateways/:id/start', async ({ params }) => found(gateways, params.id).start());

  server.post('/tls-gateways', async () => {
    const gateway = await startTlsGateway();
    const { url, otherHostUrl, httpUrl, ca } = gateway;
    return { id: lend(gateway), url, otherHostUrl, httpUrl, ca };
  });

  server.delete<OfOne>('/lent/:id', async ({ params }) => {
    await found(lent, params.id)[Symbol.asyncDispose]();
    lent.delete(params.id);
  });

  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const environment: Record<string, string> = forPage ? { GATEWAY_CORS_ORIGINS: url } : {};
  const own = forPage ? await startGateway(environment) : undefined;
  if (own) lend(own);
  const httpUrl = own?.url ?? inject('sdk').httpUrl;
  return {
    url,
    httpUrl,
    async [Symbol.asyncDispose]() {
      await server.close();
      for (const each of lent.values()) await each[Symbol.asyncDispose]();
    },
  };
}

type OfOne = { Params: { id: string } };
