import { mkdtemp, rm } from 'node:fs/promises';
import { setGlobalProxyFromEnv } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTls } from '#libs/grpc/tls.ts';
import { ensureCertificates } from '../../../deploy/local/certificates.ts';
import { freePort } from '../../../test/support/ports.ts';
import { startReceiver } from '../../../test/support/webhook-receiver.ts';
import { createAddressRules, parseRange } from './addresses.ts';
import { createPost, type Dependencies } from './post.ts';
import { createResolver } from './resolver.ts';

const body = Buffer.from('{"id":"dlv_1"}');
const headers = { 'drydock-webhook-id': 'dlv_1' };
const onLoopback = createAddressRules(['127.0.0.0/8', '::1/128'].map(parseRange));
const publicOnly = createAddressRules([]);

function post(url: string, dependencies: Partial<Dependencies> = {}) {
  return createPost({ isAllowed: onLoopback, ports: [[1, 65_535]], resolve: createResolver(), ...dependencies })({
    url,
    headers,
    body,
  });
}
const knows =
  (...addresses: string[]) =>
  async () =>
    addresses;

/** A server of plain TCP that does with a connection what it is told to. */
async function startTcp(handle: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {}).resume();
    handle(socket);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: async () => void server.close() };
}

describe('a post', () => {
  test('carries body and headers to the path of the URL', async () => {
    await using receiver = await startReceiver((response) => response.writeHead(204).end());
    expect(await post(`${receiver.url}/a/b?c=d`)).toEqual({ statusCode: 204, error: '' });
    expect(receiver.received).toMatchObject([
      { path: '/a/b?c=d', event: { id: 'dlv_1' }, headers: { ...headers, 'content-type': 'application/json' } },
    ]);
    expect(receiver.received[0]!.body).toEqual(body);
  });

  test.each([400, 404, 410, 429, 500, 503])('that is answered with %d has failed', async (status) => {
    await using receiver = await startReceiver((response) => response.writeHead(status).end('secret words'));
    expect(await post(receiver.url)).toEqual({ statusCode: status, error: `answered ${status}` });
  });

  test.each([301, 302, 303, 307, 308])(
    'that is answered with the redirect %d has failed and goes nowhere',
    async (status) => {
      await using inside = await startReceiver();
      await using receiver = await startReceiver((response) =>
        response.writeHead(status, { location: inside.url }).end(),
      );
      const { statusCode, error } = await post(receiver.url);
      expect({ statusCode, error }).toEqual({
        statusCode: status,
        error: expect.stringMatching(/redirects are not followed/),
      });
      expect(inside.received).toEqual([]);
    },
  );

  test('uses no proxy of the environment', async () => {
    await using proxy = await startReceiver();
    await using receiver = await startReceiver();
    const restore = setGlobalProxyFromEnv({ http_proxy: proxy.url, https_proxy: proxy.url });
    try {
      expect(await post(receiver.url)).toEqual({ statusCode: 200, error: '' });
    } finally {
      restore();
    }
    expect(proxy.received).toEqual([]);
    expect(receiver.received).toHaveLength(1);
  });
});

describe('an address that is not public', () => {
  test('is refused in each way of writing it, before anything is sent', async () => {
    await using receiver = await startReceiver();
    const hosts = [
      ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001', '0', '0.0.0.0'],
      ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '①②⑦.0.0.1', '127。0。0。1'],
      ...['169.254.169.254', '10.0.0.1'],
    ];
    const outcomes = await Promise.all(
      hosts.map((host) => post(`http://${host}:${receiver.port}/`, { isAllowed: publicOnly })),
    );
    expect(outcomes).toEqual(hosts.map(() => ({ statusCode: 0, error: 'the host has no public address' })));
    expect(receiver.received).toEqual([]);
  });

  test('is refused behind a name, also where the name has another beside it', async () => {
    await using receiver = await startReceiver();
    const url = `http://rebound.example:${receiver.port}/`;
    const refused = { statusCode: 0, error: 'the host has no public address' };
    expect(await post(url, { isAllowed: publicOnly, resolve: knows('127.0.0.1', '::1') })).toEqual(refused);
    // Only the one that is allowed is connected to, and nobody listens there.
    const onlySecond = createAddressRules([parseRange('127.0.0.2/32')]);
    const outcome = await post(url, { isAllowed: onlySecond, resolve: knows('127.0.0.1', '127.0.0.2') });
    expect(outcome).toEqual({ statusCode: 0, error: 'no answer came' });
    expect(receiver.received).toEqual([]);
  });

  test('gains nothing by taking the place of one that was checked', async () => {
    await using receiver = await startReceiver();
    let asked = 0;
    // A name that has another address each time: the second is never asked for.
    const resolve = async () => (asked++ === 0 ? ['127.0.0.1'] : ['127.0.0.3']);
    expect(await post(`http://rebound.example:${receiver.port}/`, { resolve })).toEqual({ statusCode: 200, error: '' });
    expect(asked).toBe(1);
    expect(receiver.received[0]!.headers.host).toBe(`rebound.example:${receiver.port}`);
  });
});

describe('a port that is not allowed', () => {
  test('is refused before anything is sent, also where the URL does not name it', async () => {
    await using receiver = await startReceiver();
    const error = 'webhooks are not sent to this port, only to 443, 8000-8001';
    const ports = [[443, 443] as const, [8000, 8001] as const];
    for (const url of [receiver.url, 'http://127.0.0.1/', 'https://127.0.0.1:80/', 'http://127.0.0.1:8002/'])
      expect(await post(url, { ports })).toEqual({ statusCode: 0, error });
    for (const url of ['https://127.0.0.1/', 'http://127.0.0.1:443/', 'http://127.0.0.1:8001/'])
      expect((await post(url, { ports, isAllowed: publicOnly })).error).toBe('the host has no public address');
    expect(receiver.received).toEqual([]);
  });
});

describe('a receiver', () => {
  test('whose name has no address is told so', async () => {
    expect(await post('http://nowhere.invalid/', { resolve: knows() })).toEqual({
      statusCode: 0,
      error: 'the host name has no address',
    });
  });

  test('that does not listen is told the same as one that is silent', async () => {
    expect(await post(`http://127.0.0.1:${await freePort()}/`)).toEqual({
      statusCode: 0,
      error: 'no answer came',
    });
  });

  test.each([
    ['is silent', () => {}],
    ['never ends its headers', (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\na: b')],
  ])('that %s is given up when its time is over', async (_, handle) => {
    await using server = await startTcp(handle);
    const started = performance.now();
    expect(await post(server.url, { limitMs: 500 })).toEqual({ statusCode: 0, error: 'no answer came' });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('whose name servers are silent is given up when its time is over', async () => {
    const outcome = await post('http://slow.example/', { limitMs: 300, resolve: () => new Promise(() => {}) });
    expect(outcome).toEqual({ statusCode: 0, error: 'no answer came' });
  });

  test('that answers without end is read to 16 KiB, and has answered', async () => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    await using server = await startTcp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write('x'.repeat(65_536))) sent += 65_536;
      };
      socket.on('drain', more).on('close', () => closed.resolve());
      more();
    });
    expect(await post(server.url)).toEqual({ statusCode: 200, error: '' });
    await closed.promise;
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test('that begins an answer and never ends it has answered, and is let go', async () => {
    const closed = Promise.withResolvers<void>();
    await using server = await startTcp((socket) => {
      socket.write('HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\nx');
      socket.on('close', () => closed.resolve());
    });
    expect(await post(server.url, { limitMs: 500 })).toEqual({ statusCode: 201, error: '' });
    await closed.promise;
  });

  test.each([
    ['closes the connection', (socket: Socket) => socket.destroy(), /closed before an answer/],
    ['speaks no HTTP', (socket: Socket) => socket.end('220 mail ESMTP\r\n'), /not HTTP/],
    [
      'sends too many headers',
      (socket: Socket) => socket.end(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(9_000)}\r\n`),
      /headers/,
    ],
    [
      'changes the protocol',
      (socket: Socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      /./,
    ],
  ])('that %s has failed', async (_, handle, error) => {
    await using server = await startTcp((socket) => socket.once('data', () => handle(socket)));
    expect(await post(server.url, { limitMs: 2_000 })).toMatchObject({ error: expect.stringMatching(error) });
  });
});

describe('over TLS', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'drydock-webhooks-'));
    await ensureCertificates(directory);
  });
  afterAll(() => rm(directory, { recursive: true }));

  test('a certificate counts only if it is trusted and bears the name of the host', async () => {
    const { ca, certificate, key } = readTls(directory, 'gateway')!;
    await using receiver = await startReceiver((response) => response.end(), { cert: certificate, key });
    const to = (name: string) => post(`https://${name}:${receiver.port}/`, { resolve: knows('127.0.0.1') });
    expect(await to('gateway')).toEqual({ statusCode: 0, error: expect.stringMatching(/^TLS failed: UNABLE_TO_/) });
    const before = getCACertificates('default');
    setDefaultCACertificates([...before, ca.toString()]);
    try {
      expect(await to('gateway')).toEqual({ statusCode: 200, error: '' });
      expect(await to('other.example')).toEqual({ statusCode: 0, error: 'TLS failed: ERR_TLS_CERT_ALTNAME_INVALID' });
    } finally {
      setDefaultCACertificates(before);
    }
    expect(receiver.received).toHaveLength(1);
  });

  test('a server that speaks plain HTTP has failed', async () => {
    await using receiver = await startReceiver();
    expect(await post(`https://127.0.0.1:${receiver.port}/`)).toEqual({
      statusCode: 0,
      error: expect.stringMatching(/^TLS failed/),
    });
  });
});
