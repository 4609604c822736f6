import { lookup } from 'node:dns/promises';
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { VERSION } from '../../../sdk/typescript/src/version.ts';
import type { Context } from '../context.ts';
import { describe } from '../describe.ts';
import { EXIT } from '../exit-codes.ts';
import { type Column, Styled, styled } from '../output.ts';

type Check = { check: string; ok: boolean; found: string; mend: string };

const TIMEOUT_MS = 10_000;
/** Tokens live longer than that; a clock beyond it is wrong. */
const MAX_CLOCK_MS = 60_000;
const OLDEST_NODE = 22;

const COLUMNS: readonly Column<Check>[] = [
  ['', ({ ok }) => new Styled(ok ? styled('green', 'ok') : styled('red', 'fails'))],
  ['check', ({ check }) => check],
  ['found', ({ found }) => found],
  ['what to do', ({ mend }) => mend],
];

/** Each check says what it found, and how to mend it. */
export async function doctor(context: Context): Promise<number> {
  const { url } = await addressOf(context);
  const checks: Check[] = [version()];
  const reached = await reach(url, context.signal);
  checks.push(reached.check);
  if (reached.answer) checks.push(clock(reached.answer), server(reached.answer), await key(context));
  await context.output.many(each(checks), COLUMNS, checks.length);
  return checks.every(({ ok }) => ok) ? EXIT.ok : EXIT.unsuccessful;
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}

async function addressOf({ options }: Context): Promise<{ url: string }> {
  const { resolveSettings } = await import('../../../sdk/typescript/src/config.ts');
  // The address is asked for whether or not there is a key.
  return resolveSettings({ ...options, apiKey: 'none' });
}

function version(): Check {
  const ok = Number(process.versions.node.split('.')[0]) >= OLDEST_NODE;
  const found = `drydock ${VERSION}, Node ${process.versions.node}`;
  return { check: 'version', ok, found, mend: ok ? '' : `Install Node ${OLDEST_NODE} or later.` };
}

async function reach(url: string, signal: AbortSignal): Promise<{ check: Check; answer?: Answer }> {
  const check = 'address';
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const began = performance.now();
    const answer = await ask(new URL('/openapi.json', url), within);
    const took = Math.round(performance.now() - began);
    return { check: { check, ok: true, found: `${url} answers in ${took} ms`, mend: '' }, answer };
  } catch (error) {
    signal.throwIfAborted();
    return { check: { check, ok: false, ...(await whyNot(url, error)) } };
  }
}

type Answer = { status: number; date: string; body: string };
/** The document has about 200 KiB; another server may send without end. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

function ask(url: URL, signal: AbortSignal): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const get = url.protocol === 'https:' ? getHttps : getHttp;
  const request = get(url, { signal, agent: false }, async (response) => {
    try {
      let body = '';
      for await (const piece of response.setEncoding('utf8')) {
        body += piece;
        if (body.length > MAX_BODY_BYTES) break;
      }
      resolve({ status: response.statusCode ?? 0, date: response.headers.date ?? '', body });
    } catch (error) {
      reject(error);
    }
  });
  request.on('error', reject);
  return promise;
}

function parsed(body: string): { info?: { title?: string; version?: string } } | undefined {
  try {
    return JSON.parse(body);
  } catch {
    // Whatever answers, it is no Drydock, which is told below.
    return undefined;
  }
}

async function whyNot(url: string, error: unknown): Promise<{ found: string; mend: string }> {
  const { hostname } = new URL(url);
  const cause = error as NodeJS.ErrnoException;
  const named = await lookup(hostname.replace(/^\[|\]$/g, '')).then(
    () => true,
    () => false,
  );
  if (!named)
    return { found: `no such host: ${hostname}`, mend: 'Mend the address: --url, DRYDOCK_URL or the profile.' };
  if (cause.code === 'ECONNREFUSED')
    return { found: `nothing listens at ${url}`, mend: 'Start Drydock there, or mend the address.' };
  if (cause.name === 'TimeoutError' || (cause.cause as Error | undefined)?.name === 'TimeoutError')
    return {
      found: `${url} does not answer in ${TIMEOUT_MS / 1_000} s`,
      mend: 'Look at firewalls and proxies in between.',
    };
  if (/CERT|SIGNED|ALTNAME/.test(cause.code ?? ''))
    return {
      found: `the certificate is not trusted: ${cause.message}`,
      mend: 'Name its authority by NODE_EXTRA_CA_CERTS.',
    };
  if (url.startsWith('https:'))
    return {
      found: `${url} does not speak TLS (${cause.code ?? cause.message})`,
      mend: 'Use http: if the platform has no certificate.',
    };
  return { found: `${url}: ${cause.message}`, mend: 'Use https: if the platform has a certificate.' };
}

function clock({ date }: Answer): Check {
  const there = Date.parse(date);
  const off = Number.isNaN(there) ? 0 : Date.now() - there;
  const ok = Math.abs(off) < MAX_CLOCK_MS;
  const how = `${Math.round(Math.abs(off) / 1_000)} s ${off < 0 ? 'behind' : 'ahead of'} the platform`;
  const found = Number.isNaN(there) ? 'the platform does not tell its time' : ok ? 'as the platform’s' : how;
  return { check: 'clock', ok, found, mend: ok ? '' : 'Set the clock: keys and tokens end by it.' };
}

function server({ status, body }: Answer): Check {
  const check = 'server';
  const document = parsed(body);
  const { title, version: api } = document?.info ?? {};
  if (title !== 'Drydock')
    return { check, ok: false, found: `another server answers (status ${status})`, mend: 'Mend the address.' };
  const ok = api === 'v1';
  return { check, ok, found: `Drydock, API ${api}`, mend: ok ? '' : 'Install a drydock that knows this API.' };
}

async function key(context: Context): Promise<Check> {
  const check = 'key';
  try {
    const drydock = await context.connect();
    await drydock.templates.list({ signal: context.signal, requestTimeoutMs: TIMEOUT_MS }).toArray({ limit: 1 });
    return { check, ok: true, found: 'valid', mend: '' };
  } catch (error) {
    context.signal.throwIfAborted();
    const [first = '', ...rest] = describe(error).lines;
    return { check, ok: false, found: first.replace(/^drydock: /, ''), mend: rest[0] ?? '' };
  }
}
