import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Child, startChild, until } from '../host/child.ts';
import { natsConfig } from './nats-config.ts';

const READY_MS = 10_000;

export type Nats = Child & { url: string };

/**
 * NATS with JetStream, its data below a directory, on the loopback interface alone. It lets in the services and the executors
 * that are named, by their certificates.
 */
export async function startNats(options: {
  dataDirectory: string;
  runDirectory: string;
  tlsDirectory: string;
  executorIds: readonly string[];
  port: number;
  onLine?: (line: string) => void;
  onExit?: (reason: string) => void;
  /** Ends the waiting until it is ready. */
  signal?: AbortSignal;
}): Promise<Nats> {
  const { dataDirectory, runDirectory, tlsDirectory, executorIds, port } = options;
  const config = join(dataDirectory, 'nats.conf');
  await mkdir(dataDirectory, { recursive: true });
  const text = natsConfig({
    listen: `127.0.0.1:${port}`,
    storeDirectory: join(dataDirectory, 'nats'),
    tls: {
      ca: join(tlsDirectory, 'ca.pem'),
      certificate: join(tlsDirectory, 'nats.pem'),
      key: join(tlsDirectory, 'nats-key.pem'),
    },
    executorIds,
  });
  await writeFile(config, text, { mode: 0o600 });
  const child = await startChild({
    name: 'nats-server',
    runDirectory,
    command: 'nats-server',
    args: ['--config', config],
    ...(options.onLine ? { onLine: options.onLine } : {}),
    ...(options.onExit ? { onExit: options.onExit } : {}),
  });
  await until(child, 'NATS', READY_MS, () => greets(port), options.signal).catch(async (error) => {
    await child.stop();
    throw error;
  });
  return { ...child, url: `tls://127.0.0.1:${port}` };
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
