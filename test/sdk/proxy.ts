import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { inject } from 'vitest';

/** Passes connections on to a port, and can break them. Default: the platform's. */
export async function startProxy(target = Number(new URL(inject('sdk').httpUrl).port)) {
  const open = new Set<Socket>();
  let answers = true;
  const server = createServer((socket) => {
    const upstream = connect(target, '127.0.0.1');
    const pair = [socket, upstream];
    for (const each of pair) {
      open.add(each);
      each.setNoDelay(true);
      each.on('error', () => {});
      each.on('close', () => {
        open.delete(each);
        for (const other of pair) other.destroy();
      });
    }
    socket.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => (answers ? socket.write(bytes) : socket.destroy()));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    /** Breaks all connections. */
    cut() {
      for (const socket of open) socket.destroy();
    },
    /** From now on a connection breaks when an answer comes; or no longer does. */
    async loseAnswers(lose: boolean) {
      answers = !lose;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
