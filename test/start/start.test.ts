import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import Docker from 'dockerode';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers } from '../../deploy/local/engine.ts';
import { ROOT } from '../../deploy/local/root.ts';
import { freePorts, listen } from '../ports.ts';
import { pathWithGrpcurl } from '../transcript.ts';

const MACHINES_ENGINE = '/var/run/docker.sock';
/** Auth, session, scheduler, PostgreSQL, NATS, four for metrics, two for the executor; then gRPC and HTTP. */
const PORTS = 13;
const READY = 'ready; Ctrl-C stops everything';
const SECOND_START_MS = 20_000;

let directory: string;
let environment: Record<string, string>;
beforeAll(async () => {
  // Short, for the sockets in it.
  directory = await mkdtemp('/tmp/dd-');
  const first = await freePorts(PORTS);
  environment = {
    DRYDOCK_DATA_DIR: directory,
    DRYDOCK_IMAGE_CACHE: process.env.IMAGE_CACHE ?? '/var/lib/drydock/images',
    DRYDOCK_BASE_PORT: String(first),
    DRYDOCK_GATEWAY_PORT: String(first + PORTS - 2),
    DRYDOCK_HTTP_PORT: String(first + PORTS - 1),
  };
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs a script as `npm start` and `npm run doctor` do, in a process group of its own, as a terminal does. */
function run(script: string, args: string[] = [], more: Record<string, string> = {}) {
  const running = execa('sh', ['deploy/local/bootstrap.sh', script, ...args], {
    cwd: ROOT,
    env: { ...environment, ...more },
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
  const ended = (async () => {
    const { exitCode } = await running;
    await read;
    return exitCode;
  })();
  return {
    lines,
    text: () => lines.join('\n'),
    /** The exit code. */
    ended,
    /** What Ctrl-C sends, to the whole group. */
    interrupt: () => process.kill(-running.pid!, 'SIGINT'),
    async printed(words: string): Promise<void> {
      const found = new Promise<void>((resolve) => {
        const look = () => lines.some((line) => line.includes(words)) && resolve();
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

type Run = ReturnType<typeof run>;

const lineOf = (started: Run, pattern: RegExp) => started.lines.find((line) => pattern.test(line)) ?? '';
const apiKeyOf = (started: Run) => /^API key +(dk_\S+)$/m.exec(started.text())?.[1];

/** What names the data directory: command lines, environments, mounts; and containers of its executor. */
async function leftBehind(started: Run): Promise<string[]> {
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
  const mounts = (await read('/proc/self/mounts')).split('\n').filter((line) => line.includes(directory));
  const pidFiles = (await readdir(`${directory}/run`)).filter((name) => name.endsWith('.pid'));
  const executorId = /"executorId":"([^"]+)"/.exec(started.text())?.[1];
  const containers =
    executorId && (await answers(MACHINES_ENGINE))
      ? await new Docker({ socketPath: MACHINES_ENGINE }).listContainers({
          all: true,
          filters: JSON.stringify({ label: [`drydock.executor=${executorId}`] }),
        })
      : [];
  return [...processes.flat(), ...mounts, ...pidFiles, ...containers.map(({ Names }) => `container ${Names}`)];
}

describe('npm start', () => {
  let key: string | undefined;

  test('comes up, runs a first program, and prints lines that work as they are; Ctrl-C leaves nothing', async () => {
    const hasEngine = await answers(MACHINES_ENGINE);
    const started = run('start.ts', ['--small']);
    await started.printed(READY);
    expect(started.text()).toContain(`Docker engine: ${hasEngine ? MACHINES_ENGINE : 'an own one'}`);
    expect(started.text()).toMatch(/^Hello from Python 3\.\d+\.\d+ in a sandbox$/m);
    key = apiKeyOf(started);
    expect(key).toBeDefined();

    // These are a reader's lines, so a shell reads them here too.
    const curl = await execa('bash', ['-c', lineOf(started, /^curl /)]);
    expect(JSON.parse(curl.stdout)).toMatchObject({ verdict: 'ACCEPTED', stdout: '42\n' });
    const env = { PATH: await pathWithGrpcurl() };
    const grpcurl = await execa('bash', ['-c', lineOf(started, /^grpcurl /)], { env });
    expect(JSON.parse(grpcurl.stdout)).toMatchObject({ execution: { verdict: 'ACCEPTED', stdout: '42\n' } });

    started.interrupt();
    expect(await started.ended).toBe(0);
    expect(await leftBehind(started)).toEqual([]);
  });

  test('comes up again quickly, builds nothing and keeps its key; a second one beside it is told why it cannot', async () => {
    const begun = performance.now();
    const started = run('start.ts', ['--small']);
    await started.printed(READY);
    expect(performance.now() - begun).toBeLessThan(SECOND_START_MS);
    expect(started.text()).not.toMatch(/\] (making|installing|image )/);
    expect(apiKeyOf(started)).toBe(key);

    const beside = run('start.ts', ['--small']);
    expect(await beside.ended).toBe(1);
    expect(beside.text()).toContain(`another npm start holds ${directory}/run`);
    const elsewhere = run('start.ts', ['--small'], { DRYDOCK_DATA_DIR: `${directory}/other` });
    expect(await elsewhere.ended).toBe(1);
    expect(elsewhere.text()).toContain(
      `port ${environment.DRYDOCK_HTTP_PORT} is taken: stop what listens there, or set DRYDOCK_HTTP_PORT`,
    );
    expect(existsSync(`${directory}/other/postgres`)).toBe(false);

    // Neither disturbed the first.
    const curl = await execa('bash', ['-c', lineOf(started, /^curl /)]);
    expect(JSON.parse(curl.stdout)).toMatchObject({ verdict: 'ACCEPTED' });

    started.interrupt();
    await started.printed('stopping; again to force');
    started.interrupt();
    expect(await started.ended).toBe(1);
    // What belongs to containers stays until somebody removes them.
    const processes = async () =>
      (await leftBehind(started)).filter((line) => /^process.*(main\.ts|postgres|nats-server)/.test(line));
    await expect.poll(processes, { timeout: 10_000 }).toEqual([]);
  });

  test('comes up after it was forced to end, and removes what was left', async () => {
    const started = run('start.ts', ['--small', '--once']);
    expect(await started.ended, started.text()).toBe(0);
    expect(started.text()).toContain('Hello from Python');
    expect(await leftBehind(started)).toEqual([]);
  });

  test('runs the first program in a pod of a cluster of its own, of which nothing is left', async () => {
    // Building them would take minutes for every directory.
    const built = `${process.env.DRYDOCK_DATA_DIR || '/var/lib/drydock'}/cluster/bin`;
    await cp(built, `${directory}/cluster/bin`, { recursive: true, verbatimSymlinks: true });
    const started = run('start.ts', ['--backend', 'kubernetes', '--small', '--once']);
    expect(await started.ended, started.text()).toBe(0);
    expect(started.text()).toContain('Kubernetes: an own one');
    expect(started.text()).toMatch(/^Hello from Python 3\.\d+\.\d+ in a sandbox$/m);
    expect(await leftBehind(started)).toEqual([]);
  });

  test('interrupted while it starts, it ends in good order', async () => {
    const started = run('start.ts', ['--small']);
    await started.printed('Docker engine');
    started.interrupt();
    expect(await started.ended).toBe(0);
    expect(started.text()).not.toContain(READY);
    expect(await leftBehind(started)).toEqual([]);
  });

  test('says which variables there are', async () => {
    const help = run('start.ts', ['--help']);
    expect(await help.ended).toBe(0);
    for (const name of Object.keys(environment)) expect(help.text()).toContain(name);
  });
});

describe('npm run doctor', () => {
  test('finds that nothing is missing', async () => {
    const doctor = run('doctor.ts');
    expect(await doctor.ended, doctor.text()).toBe(0);
    for (const finding of ['system packages', 'Docker engine', 'control groups', 'Go', 'disk', 'memory', 'ports'])
      expect(doctor.text()).toMatch(new RegExp(`^ok +${finding}: `, 'm'));
  });

  test('finds a port that is taken, and how to mend that', async () => {
    await using _taken = await listen(Number(environment.DRYDOCK_HTTP_PORT));
    const doctor = run('doctor.ts');
    expect(await doctor.ended).toBe(1);
    expect(doctor.text()).toMatch(new RegExp(`^MISSING +ports: taken: ${environment.DRYDOCK_HTTP_PORT}$`, 'm'));
    expect(doctor.text()).toContain('set DRYDOCK_HTTP_PORT');
  });
});
