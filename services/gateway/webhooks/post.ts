import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { abortable } from 'abort-controller-x';
import { allowsPort, describePorts, type PortRange } from './ports.ts';
import type { Resolve } from './resolver.ts';

const LIMIT_MS = 10_000;
const RESPONSE_BYTES = 16 * 1024;

export type Outgoing = { url: string; headers: Record<string, string>; body: Uint8Array };

/** What came of it: the status of the answer, 0 where there was none; and unless that is 2xx, why it failed, for the tenant. */
export type Outcome = { statusCode: number; error: string };

export type Post = (request: Outgoing) => Promise<Outcome>;

export type Dependencies = {
  isAllowed: (address: string) => boolean;
  ports: readonly PortRange[];
  resolve: Resolve;
  /** For all of it, from the name to the last byte that is read. */
  limitMs?: number;
};

/**
 * Posts to a URL of a tenant, if its port is one of `ports`. The host's addresses are checked and the connection is made to one of these and no other, so a
 * name that changes its address gains nothing. No redirect is followed and no proxy used. Never throws.
 */
export function createPost({ isAllowed, ports, resolve, limitMs = LIMIT_MS }: Dependencies): Post {
  return async (request) => {
    const signal = AbortSignal.timeout(limitMs);
    try {
      const url = new URL(request.url);
      if (!allowsPort(ports, portOf(url)))
        return failure(`webhooks are not sent to this port, only to ${describePorts(ports)}`);
      const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
      const found = isIP(host) ? [host] : await abortable(signal, resolve(host));
      if (found.length === 0) return failure('the host name has no address');
      const addresses = found.filter(isAllowed);
      if (addresses.length === 0) return failure('the host has no public address');
      return outcomeOf(await send(url, request, addresses, signal));
    } catch (error) {
      return failure(signal.aborted ? NO_ANSWER : describe(error));
    }
  };
}

const portOf = ({ port, protocol }: URL): number => Number(port || (protocol === 'https:' ? 443 : 80));

const failure = (error: string): Outcome => ({ statusCode: 0, error });

function outcomeOf(statusCode: number): Outcome {
  if (statusCode >= 200 && statusCode < 300) return { statusCode, error: '' };
  if (statusCode >= 300 && statusCode < 400)
    return { statusCode, error: `answered ${statusCode}, a redirect, and redirects are not followed` };
  return { statusCode, error: `answered ${statusCode}` };
}

/** The status of the answer. */
async function send(url: URL, { headers, body }: Outgoing, addresses: string[], signal: AbortSignal): Promise<number> {
  const { request } = url.protocol === 'https:' ? https : http;
  const answered = Promise.withResolvers<IncomingMessage>();
  request(url, {
    method: 'POST',
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-length': body.length,
      'user-agent': 'drydock-webhooks',
    },
    // A connection for this request alone, and none through a proxy that the environment names.
    agent: false,
    lookup: answerWith(addresses),
    rejectUnauthorized: true,
    signal,
  })
    .on('error', answered.reject)
    .once('response', answered.resolve)
    // Unheard, it would end the request without an error or an answer.
    .once('upgrade', (response, socket) => {
      socket.destroy();
      answered.resolve(response);
    })
    .end(body);
  const response = await abortable(signal, answered.promise);
  // The status says it all: how the rest ends changes nothing.
  await readSome(response).catch(() => {});
  return response.statusCode!;
}

/** A lookup that knows these addresses and no other. */
function answerWith(addresses: string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, options, callback) =>
    options.all ? callback(null, all) : callback(null, all[0]!.address, all[0]!.family);
}

/** So that a receiver which answers at some length is not cut off in the middle, but not for ever. */
async function readSome(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const piece of response) {
    bytes += piece.length;
    if (bytes >= RESPONSE_BYTES) break;
  }
}

// The same whether nobody listens, the host is not there or it is silent: what a port scan would find out is not told.
const NO_ANSWER = 'no answer came';
const WORDS: Record<string, string> = {
  ECONNREFUSED: NO_ANSWER,
  ECONNRESET: 'the connection was closed before an answer came',
  EPIPE: 'the connection was closed before an answer came',
  EHOSTUNREACH: NO_ANSWER,
  ENETUNREACH: NO_ANSWER,
  ETIMEDOUT: NO_ANSWER,
  HPE_HEADER_OVERFLOW: 'the headers of the answer are too large',
};
const TLS_CODES = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|HOSTNAME_)/;

/** Words that say nothing of our network: no address, no name, no message of the system. */
function describe(error: unknown): string {
  const { code = '' } = error as { code?: string };
  const words = WORDS[code];
  if (words) return words;
  if (TLS_CODES.test(code)) return `TLS failed: ${code}`;
  if (code.startsWith('HPE_')) return 'the answer is not HTTP';
  return 'the request failed';
}
