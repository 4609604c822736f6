import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers } from '../../deploy/local/engine.ts';
import { listen } from '../support/ports.ts';
import { pathWithGrpcurl } from '../support/transcript.ts';
import { apiKeyOf, environmentOf, leftBehind, lineOf, MACHINES_ENGINE, READY, type Run, run } from './start-process.ts';

const SECOND_START_MS = 20_000;
/** Of the waits of a start: half of the longest. */
const WAITS_MS = 30_000;
/** As from a program that never gets ready, in its place. */
const HANGING_GATEWAY = `if (process.argv[1]?.endsWith('gateway/main.ts')) await new Promise(() => setInterval(() => {}, 1000))`;

let directory: string;
let environment: Record<string, string>;
beforeAll(async () => {
  // Short, for the sockets in it.
  directory = await mkdtemp('/tmp/dd-');
  environment = await environmentOf(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const start = (args: string[], more: Record<string, string> = {}) =>
  run('deploy/local/start.ts', args, { ...environment, ...more });

describe('npm start', () => {
  let key: string | undefined;

  test('comes up, runs a first program, and prints lines that work as they are; Ctrl-C leaves nothing', async () => {
    const hasEngine = await answers(MACHINES_ENGINE);
    const started = start(['--small']);
    await started.printed(READY);
    expect(started.text()).toContain(`Docker engine: ${hasEngine ? MACHINES_ENGINE : 'one of its own'}`);
    expect(started.text()).toMatch(/^Hello from Python 3\.\d+\.\d+ in a sandbox$/m);
    key = apiKeyOf(started);
    expect(key).toBeDefined();
    for (const step of [
      'system packages',
      'generated code',
      'agent',
      'Docker engine',
      'image python',
      'services',
      'executors',
      'first program',
    ])
      expect(started.text()).toMatch(new RegExp(`^\\[ *[0-9.]+ s\\] ${step}: ready \\([0-9.]+ s\\)$`, 'm'));
    // What processes print is in their files, the executor's complaint about images that are not there yet among it.
    expect(started.text()).not.toContain('{"level"');

    // These are a reader's lines, so a shell reads them here too.
    const curl = await execa('bash', ['-c', lineOf(started, /^curl /)]);
    expect(JSON.parse(curl.stdout)).toMatchObject({ verdict: 'ACCEPTED', stdout: '42\n' });
    const env = { PATH: await pathWithGrpcurl() };
    const grpcurl = await execa('bash', ['-c', lineOf(started, /^grpcurl /)], { env });
    expect(JSON.parse(grpcurl.stdout)).toMatchObject({ execution: { verdict: 'ACCEPTED', stdout: '42\n' } });

    started.interrupt();
    expect(await started.ended).toBe(0);
    expect(await leftBehind(directory)).toEqual([]);
  });

  test('comes up again quickly, builds nothing and keeps its key; a second one beside it is told why it cannot', async () => {
    const begun = performance.now();
    const started = start(['--small']);
    await started.printed(READY);
    expect(performance.now() - begun).toBeLessThan(SECOND_START_MS);
    expect(started.text()).not.toMatch(/fetching|installing|(generated code|agent): (?!ready)/);
    expect(apiKeyOf(started)).toBe(key);

    const beside = start(['--small']);
    expect(await beside.ended).toBe(1);
    expect(beside.text()).toContain(`another npm start holds ${directory}/run`);
    const elsewhere = start(['--small'], { DRYDOCK_DATA_DIR: `${directory}/other` });
    expect(await elsewhere.ended).toBe(1);
    const { DRYDOCK_GATEWAY_PORT: grpc, DRYDOCK_HTTP_PORT: http } = environment;
    expect(elsewhere.text()).toMatch(
      new RegExp(`port ${grpc}, ${http}, \\d+ and 11 more are taken\n  fix: .*DRYDOCK_HTTP_PORT`),
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
      (await leftBehind(directory)).filter((line) => /^process.*(main\.ts|postgres|nats-server)/.test(line));
    await expect.poll(processes, { timeout: 10_000 }).toEqual([]);
  });

  test('starts a process that crashed again, and says so; its log tells of both', async () => {
    const started = start(['--small']);
    await started.printed(READY);
    const pidOf = async (name: string) =>
      Number((await readFile(`${directory}/run/${name}.pid`, 'utf8')).split('\n')[0]);
    for (const name of ['gateway', 'postgres']) {
      process.kill(await pidOf(name), 'SIGKILL');
      await started.printed(`${name} ended by itself: SIGKILL; it is started again in 1 s`);
      await started.printed(`${name} runs again`);
    }
    process.kill(await pidOf('gateway'), 'SIGKILL');
    await started.printed('gateway ended by itself: SIGKILL; it is started again in 2 s');
    await started.printed('gateway runs again', 2);
    const curl = () => execa('bash', ['-c', lineOf(started, /^curl /)]);
    await expect.poll(async () => (await curl()).stdout, { timeout: 20_000 }).toContain('"ACCEPTED"');

    const logs = start(['logs', 'gateway', 'executor-1']);
    expect(await logs.ended).toBe(0);
    expect(logs.text().match(/"service":"gateway".*"msg":"listening"/g)).toHaveLength(3);
    expect(logs.text()).toContain('"service":"executor"');
    expect(logs.text()).not.toContain('"service":"auth"');
    const unknown = start(['logs', 'nobody']);
    expect(await unknown.ended).toBe(1);
    expect(unknown.text()).toMatch(
      /^cannot go on: there is no log of nobody\n {2}fix: name some of auth, .*scheduler/m,
    );

    const following = start(['logs', '--follow']);
    await following.printed('"service":"gateway"');
    process.kill(await pidOf('gateway'), 'SIGKILL');
    started.interrupt();
    await following.printed('"msg":"stopped"');
    following.interrupt();
    await following.ended;
    expect(await started.ended).toBe(0);
    expect(await leftBehind(directory)).toEqual([]);
  });

  test('comes up after it was forced to end, and removes what was left', async () => {
    const started = start(['--small', '--once']);
    expect(await started.ended, started.text()).toBe(0);
    expect(started.text()).toContain('Hello from Python');
    expect(await leftBehind(directory)).toEqual([]);
  });

  test('runs the first program in a pod of a cluster of its own, of which nothing is left', async () => {
    // Building them would take minutes for every directory.
    const built = `${process.env.DRYDOCK_DATA_DIR || '/var/lib/drydock'}/cluster/bin`;
    await cp(built, `${directory}/cluster/bin`, { recursive: true, verbatimSymlinks: true });
    const started = start(['--backend', 'kubernetes', '--small', '--once']);
    expect(await started.ended, started.text()).toBe(0);
    expect(started.text()).toContain('Kubernetes: one of its own');
    expect(started.text()).toMatch(/^Hello from Python 3\.\d+\.\d+ in a sandbox$/m);
    expect(await leftBehind(directory)).toEqual([]);
  });

  test.each(['SIGINT', 'SIGHUP'] as const)('ended by %s while it starts, it ends in good order', async (signal) => {
    const started = start(['--small']);
    await started.printed('Docker engine');
    started.interrupt(signal);
    expect(await started.ended).toBe(0);
    expect(started.text()).not.toContain(READY);
    expect(await leftBehind(directory)).toEqual([]);
  });

  const expectEndAtOnce = async (started: Run) => {
    const begun = performance.now();
    started.interrupt();
    expect(await started.ended).toBe(0);
    expect(performance.now() - begun).toBeLessThan(WAITS_MS);
    expect(await leftBehind(directory)).toEqual([]);
  };

  test('ended while it waits for a database that does not answer, it waits no longer', async () => {
    await using silent = await listen(0);
    const started = start(['--small'], { DATABASE_URL: `postgresql://nobody@127.0.0.1:${silent.port}/none` });
    await started.printed('PostgreSQL and NATS: ready');
    await expectEndAtOnce(started);
  });

  test('ended while it waits for a service that does not get ready, it waits no longer', async () => {
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(HANGING_GATEWAY)}`;
    const started = start(['--small'], { NODE_OPTIONS });
    await started.printed('PostgreSQL and NATS: ready');
    await expect.poll(() => existsSync(`${directory}/run/gateway.pid`)).toBe(true);
    await expectEndAtOnce(started);
  });

  test('says which variables there are', async () => {
    const help = start(['--help']);
    expect(await help.ended).toBe(0);
    for (const name of Object.keys(environment)) expect(help.text()).toContain(name);
  });
});

describe('npm run doctor', () => {
  test('finds that nothing is missing', async () => {
    const doctor = run('deploy/doctor/doctor.ts', [], environment);
    expect(await doctor.ended, doctor.text()).toBe(0);
    for (const finding of [
      'system packages',
      'Docker engine',
      'control groups',
      'Go',
      'disk',
      'memory',
      'ports',
      'user ids',
    ])
      expect(doctor.text()).toMatch(new RegExp(`^ok +${finding}: `, 'm'));
  });

  test('finds a port that is taken, and how to mend that', async () => {
    await using _taken = await listen(Number(environment.DRYDOCK_HTTP_PORT));
    const doctor = run('deploy/doctor/doctor.ts', [], environment);
    expect(await doctor.ended).toBe(1);
    expect(doctor.text()).toMatch(new RegExp(`^MISSING +ports: taken: ${environment.DRYDOCK_HTTP_PORT}$`, 'm'));
    expect(doctor.text()).toContain('set DRYDOCK_HTTP_PORT');
  });

  test('finds who has ids that are for sandboxes', async () => {
    const doctor = run('deploy/doctor/doctor.ts', [], {
      ...environment,
      EXECUTOR_FIRST_USER_ID: '65534',
      EXECUTOR_USER_IDS: '2',
    });
    expect(await doctor.ended).toBe(1);
    expect(doctor.text()).toMatch(/^MISSING +user ids: .*: user nobody is 65534 in \/etc\/passwd/m);
    expect(doctor.text()).toContain('set EXECUTOR_FIRST_USER_ID');
  });
});
