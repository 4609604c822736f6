import { readdir, readFile } from 'node:fs/promises';
import Docker from 'dockerode';
import { execa } from 'execa';
import { onTestFinished } from 'vitest';
import { ROOT } from '../../deploy/host/root.ts';
import { answers } from '../../deploy/local/engine.ts';
import { freePorts } from '../support/ports.ts';

export const MACHINES_ENGINE = '/var/run/docker.sock';
export const READY = 'ready; Ctrl-C stops everything';
/** Auth with two, session, scheduler, PostgreSQL, NATS, four for metrics, two for the executor; then gRPC and HTTP. */
const PORTS = 14;

/** Variables of a platform of its own in a directory, which has the built images from the cache. */
export async function environmentOf(directory: string): Promise<Record<string, string>> {
  const first = await freePorts(PORTS);
  return {
    DRYDOCK_DATA_DIR: directory,
    DRYDOCK_IMAGE_CACHE: process.env.IMAGE_CACHE ?? '/var/lib/drydock/images',
    DRYDOCK_BASE_PORT: String(first),
    DRYDOCK_GATEWAY_PORT: String(first + PORTS - 2),
    DRYDOCK_HTTP_PORT: String(first + PORTS - 1),
  };
}

/** Runs a script of the checkout as `npm start` and `npm run doctor` do, in a process group of its own, as a terminal does. */
export function run(script: string, args: string[], environment: Record<string, string>) {
  return follow(['sh', 'deploy/host/bootstrap.sh', script, ...args], environment);
}

/**
 * Runs a command in the checkout, in a process group of its own, and reads what it prints. It is interrupted when the tests are
 * killed, and can then end what it has started.
 */
export function follow(command: string[], environment: Record<string, string>) {
  const running = execa('setpriv', ['--pdeathsig', 'INT', '--', ...command], {
    cwd: ROOT,
    env: environment,
    detached: true,
    all: true,
    buffer: false,
    reject: false,
  });
  const lines: string[] = [];
  const watching = new Set<() => void>();
  const read = (async () => {
    for await (const line of running.iterable({ from: 'all' })) {
      lines.push(line);
      for (const look of watching) look();
    }
  })();
  let over = false;
  const ended = (async () => {
    const { exitCode } = await running;
    await read;
    over = true;
    return exitCode;
  })();
  // A test that failed leaves it running, on ports that others need.
  onTestFinished(async () => {
    if (!over) running.kill('SIGINT');
    await ended;
  });
  return {
    lines,
    text: () => lines.join('\n'),
    /** The exit code. */
    ended,
    /** What Ctrl-C sends, or a terminal that is closed, to the whole group. */
    interrupt: (signal: 'SIGINT' | 'SIGHUP' = 'SIGINT') => process.kill(-running.pid!, signal),
    /** Waits until so many lines have these words. */
    async printed(words: string, times = 1): Promise<void> {
      const found = new Promise<void>((resolve) => {
        const look = () => lines.filter((line) => line.includes(words)).length >= times && resolve();
        watching.add(look);
        look();
      });
      const gone = ended.then((code): never => {
        throw new Error(`it ended with ${code} before it printed '${words}'\n${lines.slice(-40).join('\n')}`);
      });
      await Promise.race([found, gone]);
    },
  };
}

export type Run = ReturnType<typeof follow>;

export const lineOf = (started: Run, pattern: RegExp) => started.lines.find((line) => pattern.test(line)) ?? '';
export const apiKeyOf = (started: Run) => /^API key +(dk_\S+)$/m.exec(started.text())?.[1];

/** What names the data directory: command lines, environments, mounts; and containers of its executor. */
export async function leftBehind(directory: string): Promise<string[]> {
  const own = `${process.pid}`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== own);
  const read = (file: string) => readFile(file, 'latin1').catch(() => '');
  const processes = await Promise.all(
    pids.map(async (pid) => {
      const commandLine = await read(`/proc/${pid}/cmdline`);
      const names = `${commandLine}${await read(`/proc/${pid}/environ`)}`.includes(directory);
      return names ? [`process ${pid}: ${commandLine.replaceAll('\0', ' ')}`] : [];
    }),
  );
  const mounts = (await read('/proc/self/mounts')).split('\n').filter((line) => line.includes(`${directory}/`));
  const pidFiles = (await readdir(`${directory}/run`).catch(() => [])).filter((name) => name.endsWith('.pid'));
  const executorId = /"executorId":"([^"]+)"/.exec(await read(`${directory}/logs/executor-1.log`))?.[1];
  const containers =
    executorId && (await answers(MACHINES_ENGINE))
      ? await new Docker({ socketPath: MACHINES_ENGINE }).listContainers({
          all: true,
          filters: JSON.stringify({ label: [`drydock.executor=${executorId}`] }),
        })
      : [];
  return [...processes.flat(), ...mounts, ...pidFiles, ...containers.map(({ Names }) => `container ${Names}`)];
}
