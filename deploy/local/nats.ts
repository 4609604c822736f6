import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Child, startChild, until } from './child.ts';
import { keepSecret } from './postgres.ts';

const READY_MS = 10_000;
const USER = 'drydock';

export type Nats = Child & { url: string };

/** NATS with JetStream, its data below a directory, on the loopback interface alone and with a password. */
export async function startNats(options: {
  dataDirectory: string;
  runDirectory: string;
  port: number;
  onLine?: (line: string) => void;
  onExit?: (reason: string) => void;
}): Promise<Nats> {
  const { dataDirectory, runDirectory, port } = options;
  const password = await keepSecret(join(dataDirectory, 'nats-password'));
  const config = join(dataDirectory, 'nats.conf');
  await mkdir(dataDirectory, { recursive: true });
  const lines = [
    `listen: "127.0.0.1:${port}"`,
    `jetstream { store_dir: ${JSON.stringify(join(dataDirectory, 'nats'))} }`,
    `authorization { user: ${USER}, password: ${JSON.stringify(password)} }`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  const child = await startChild({
    name: 'nats-server',
    runDirectory,
    command: 'nats-server',
    args: ['--config', config],
    ...(options.onLine ? { onLine: options.onLine } : {}),
    ...(options.onExit ? { onExit: options.onExit } : {}),
  });
  await until(child, 'NATS', READY_MS, () => greets(port)).catch(async (error) => {
    await child.stop();
    throw error;
  });
  return { ...child, url: `nats://${USER}:${password}@127.0.0.1:${port}` };
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('data', done(true)).once('error', done(false));
  });
}
