import { type AddressInfo, createServer } from 'node:net';

/** A port of the loopback interface that nothing listens on now. */
export async function freePort(): Promise<number> {
  await using server = await listen(0);
  return server.port;
}

/** Listens on a port of the loopback interface; 0 is any. */
export async function listen(wanted: number): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

const HIGHEST = 30_000;
const LOWEST = 12_000;

/** The first of so many consecutive ports that nothing listens on now, below those that the kernel gives out. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    const wanted = Array.from({ length: count }, (_, index) => first + index);
    const opened = await Promise.allSettled(wanted.map(listen));
    await Promise.all(opened.map((each) => each.status === 'fulfilled' && each.value[Symbol.asyncDispose]()));
    if (opened.every(({ status }) => status === 'fulfilled')) return first;
  }
}
