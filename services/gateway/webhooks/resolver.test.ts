import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createAddressRules } from './addresses.ts';
import { createPost } from './post.ts';
import { createResolver } from './resolver.ts';

const A = 1;
const NOT_FOUND = 3;

/** A name server on loopback that knows these IPv4 addresses of every name, and no other. */
async function startNameServer(...addresses: string[]) {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const end = query.indexOf(0, 12) + 5;
    const known = query.readUInt16BE(end - 4) === A ? addresses : [];
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180 | (known.length > 0 ? 0 : NOT_FOUND), 2);
    header.writeUInt16BE(known.length, 6);
    header.fill(0, 8);
    const answers = known.map((each) =>
      Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 0, 0, 4, ...each.split('.').map(Number)]),
    );
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    server: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => void socket.close(),
  };
}

test('a name has the addresses that its name server gives', async () => {
  using dns = await startNameServer('192.0.2.1', '127.0.0.1');
  expect(await createResolver([dns.server])('hook.example')).toEqual(['192.0.2.1', '127.0.0.1']);
});

test('a name that nobody knows has none', async () => {
  using dns = await startNameServer();
  expect(await createResolver([dns.server])('hook.example')).toEqual([]);
});

test('a name of somebody else that leads to this machine is refused', async () => {
  using dns = await startNameServer('127.0.0.1', '10.0.0.1');
  const post = createPost({
    isAllowed: createAddressRules([]),
    ports: [[443, 443]],
    resolve: createResolver([dns.server]),
  });
  const request = { url: 'https://hook.example/', headers: {}, body: Buffer.from('{}') };
  expect(await post(request)).toEqual({ statusCode: 0, error: 'the host has no public address' });
});
