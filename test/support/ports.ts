import { type AddressInfo, createServer } from 'node:net';

// Below those that the kernel gives to outgoing connections: one of these could be taken again before it is listened on.
const LOWEST = 12_000;
const HIGHEST = 30_000;

const given = new Set<number>();

/** A port of the loopback interface that nothing listens on now, and that was not given before. */
export const freePort = (): Promise<number> => freePorts(1);

/** The first of so many consecutive ones. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    const wanted = Array.from({ length: count }, (_, index) => first + index);
    if (wanted.some((port) => given.has(port))) continue;
    const opened = await Promise.allSettled(wanted.map(listen));
    await Promise.all(opened.map((each) => each.status === 'fulfilled' && each.value[Symbol.asyncDispose]()));
    if (!opened.every(({ status }) => status === 'fulfilled')) continue;
    for (const port of wanted) given.add(port);
    return first;
  }
}

/** Listens on a port of the loopback interface; 0 is any. */
export async function listen(wanted: number): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
