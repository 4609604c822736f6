import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '../..');

export type ServiceProcess = {
  /** Port of its gRPC server, once it listens. */
  listening: Promise<number>;
  /** Resolves at the first log line with this message. */
  logged(message: string): Promise<void>;
  /** SIGTERM; answers with the exit code. */
  stop(): Promise<number | null>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
} & AsyncDisposable;

/**
 * Starts a service as `npm start` does: a process of its own, configured by its environment. `before` is a command that
 * executes what its last arguments are.
 */
export function startService(
  name: string,
  environment: Record<string, string>,
  before: readonly string[] = [],
): ServiceProcess {
  const node = [process.execPath, '--max-semi-space-size=8', join(root, 'services', name, 'main.ts')];
  const [command, ...args] = [...before, ...node];
  const child = spawn(command!, args, {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const lines: Record<string, unknown>[] = [];
  const watching = new Set<() => void>();
  createInterface(child.stdout).on('line', (line) => {
    lines.push(JSON.parse(line));
    for (const look of watching) look();
  });
  const line = async (message: string) => {
    const found = new Promise<Record<string, unknown>>((resolve) => {
      const look = () => {
        const entry = lines.find(({ msg }) => msg === message);
        if (entry) resolve(entry);
      };
      watching.add(look);
      look();
    });
    const ended = exited.then(([code]): never => {
      throw new Error(
        `${name} ended with ${code} before it logged '${message}'\n${lines.map((l) => JSON.stringify(l)).join('\n')}`,
      );
    });
    return Promise.race([found, ended]);
  };
  const listening = line('listening').then(({ port }) => Number(port));
  listening.catch(() => {});
  const stop = async () => {
    child.kill('SIGTERM');
    return (await exited)[0];
  };
  return {
    listening,
    logged: async (message) => void (await line(message)),
    stop,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
