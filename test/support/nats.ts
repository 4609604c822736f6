import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './ports.ts';

const START_TIMEOUT_MS = 10_000;

export type Nats = {
  url: string;
  start(): Promise<void>;
  /** Ends the server as a crash would; what its streams hold stays. */
  stop(): Promise<void>;
} & AsyncDisposable;

/** A NATS server with JetStream of its own on a free port. Disposing ends it and removes its data. `args` are more of its options. */
export async function startNats(...args: string[]): Promise<Nats> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'drydock-nats-'));
  let child: ChildProcess | undefined;

  const start = async () => {
    const started = spawn('nats-server', ['-js', '-a', '127.0.0.1', '-p', String(port), '-sd', directory, ...args], {
      stdio: 'ignore',
    });
    const failed = new Promise<never>((_, reject) => {
      started.once('error', reject);
      started.once('exit', (code) => reject(new Error(`nats-server ended with ${code}`)));
    });
    failed.catch(() => {});
    child = started;
    await Promise.race([failed, accepts(port)]);
  };
  const stop = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };

  // A test run that is broken off does not come to dispose of it.
  const onExit = () => void child?.kill('SIGKILL');
  process.once('exit', onExit);
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      process.off('exit', onExit);
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function accepts(port: number): Promise<void> {
  const end = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(port))) {
    if (Date.now() > end) throw new Error(`nobody listens on port ${port}`);
    await pause(20);
  }
}

/** Whether NATS greets on the port. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('data', () => done(true)).once('error', () => done(false));
  });
}
