import type { IncomingMessage, ServerResponse } from 'node:http';
import { REQUEST_ID_HEADER } from '#libs/grpc/rpc.ts';

const ALLOWED_METHODS = 'GET, POST, PUT, PATCH, DELETE';
const ALLOWED_HEADERS = 'accept, authorization, content-type, grpc-timeout, if-none-match, traceparent, tracestate';
const EXPOSED_HEADERS = `etag, retry-after, ${REQUEST_ID_HEADER}`;
const PREFLIGHT_SECONDS = 600;

/**
 * Lets pages of these origins (`https://app.example.com`) read answers; without any, browsers let no page of another origin.
 * Credentials are headers that a page sets itself, never cookies. Tells whether the request was a preflight and is answered.
 */
export function createCors(
  origins: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => boolean {
  if (origins.length === 0) return () => false;
  const allowed = new Set(origins);
  return ({ method, headers }, response) => {
    response.setHeader('vary', 'origin');
    const { origin } = headers;
    if (origin === undefined || !allowed.has(origin)) return false;
    response.setHeader('access-control-allow-origin', origin);
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) {
      response.setHeader('access-control-expose-headers', EXPOSED_HEADERS);
      return false;
    }
    response.writeHead(204, {
      'access-control-allow-methods': ALLOWED_METHODS,
      'access-control-allow-headers': ALLOWED_HEADERS,
      'access-control-max-age': `${PREFLIGHT_SECONDS}`,
    });
    response.end();
    return true;
  };
}

/** An origin as browsers write it. Throws for anything else, such as `*` or a URL with a path. */
export function parseOrigin(text: string): string {
  const { origin, protocol } = new URL(text);
  if (origin !== text || !['http:', 'https:'].includes(protocol)) throw new Error(`not an origin: ${text}`);
  return origin;
}
