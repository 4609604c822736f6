import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig as loadAuth } from '../../services/auth/config.ts';
import { loadConfig as loadExecutor } from '../../services/executor/config.ts';
import { loadConfig as loadGateway } from '../../services/gateway/config.ts';
import { loadConfig as loadScheduler } from '../../services/scheduler/config.ts';
import { loadConfig as loadSession } from '../../services/session/config.ts';
import { prepareCompose } from './prepare-compose.ts';

const FILE = join(import.meta.dirname, 'compose.yaml');
const SERVICES = ['auth', 'executor', 'gateway', 'scheduler', 'session'];

type Container = {
  image: string;
  build: { target: string };
  command: string[];
  environment: Record<string, string>;
  volumes?: string[];
  user: string;
  read_only: boolean;
  cap_drop: string[];
  depends_on?: Record<string, { condition: string }>;
};

let home: string;
let variables: Record<string, string>;
let containers: Record<string, Container>;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dd-'));
  const imageOf = (name: string) => `drydock/${name}:test`;
  const ports = { gateway: 7000, http: 8080 };
  variables = await prepareCompose({ home, dockerSocket: '/var/run/docker.sock', imageOf, ports });
  containers = parse(substitute(await readFile(FILE, 'utf8')), { merge: true }).services;
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** As compose does; a variable that nobody sets is an error. */
function substitute(text: string): string {
  return text.replaceAll(/(?<!\$)\$\{(\w+)\}/g, (_, name: string) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`${name} is not set`);
    return value;
  });
}

const environmentOf = (name: string) => containers[name]!.environment;

describe('compose.yaml', () => {
  test('gives every service what it asks for, and addresses at which the others listen', () => {
    const auth = loadAuth(environmentOf('auth'));
    const session = loadSession(environmentOf('session'));
    const scheduler = loadScheduler(environmentOf('scheduler'));
    const executor = loadExecutor(environmentOf('executor'));
    const gateway = loadGateway(environmentOf('gateway'));
    const listening = { auth, session, scheduler, executor };
    const seenAs = (name: keyof typeof listening) => listening[name].address.replace('0.0.0.0', name);
    expect(gateway.authAddress).toBe(seenAs('auth'));
    expect([gateway.sessionAddress, scheduler.sessionAddress]).toEqual([seenAs('session'), seenAs('session')]);
    expect(gateway.schedulerAddress).toBe(seenAs('scheduler'));
    expect(executor.advertisedAddress).toBe(seenAs('executor'));
    expect([executor.authAddress, executor.joinAddress]).toEqual([
      seenAs('auth'),
      auth.joinAddress?.replace('0.0.0.0', 'auth'),
    ]);
    expect(auth.authorityKeyFile).toBe('/tls/authority-key.pem');
    const directory = containers['join-token']!.command.find((word) => word.startsWith('--directory='))?.split('=')[1];
    expect(executor.joinTokenFile).toBe(`${directory}/${executor.id}`);
    for (const { natsUrl, tlsDirectory } of [auth, session, scheduler, executor, gateway])
      expect([natsUrl, tlsDirectory]).toEqual(['tls://nats:4222', '/tls']);
    expect(new Set([auth.databaseUrl, session.databaseUrl, environmentOf('bootstrap').DATABASE_URL]).size).toBe(1);
  });

  test('shows a service its own certificate alone, as a file that is there for its user', async () => {
    for (const name of [...SERVICES, 'nats']) {
      const mounts = containers[name]!.volumes!.map((volume) => volume.split(':'));
      const inTls = mounts.filter(([, target]) => target!.startsWith('/tls/'));
      // Auth signs those of executors, which make their keys themselves.
      const own = name === 'executor' ? [] : [`/tls/${name}.pem`, `/tls/${name}-key.pem`];
      const signs = name === 'auth' ? ['/tls/authority-key.pem'] : [];
      expect(inTls.map(([, target]) => target)).toEqual([...signs, '/tls/ca.pem', ...own]);
      for (const [source, , mode] of inTls) {
        expect(mode).toBe('ro');
        expect(`${(await stat(source!)).uid}`).toBe(variables.DRYDOCK_USER!.split(':')[0]);
      }
    }
    expect((await stat(join(home, 'tls/auth-key.pem'))).mode & 0o077).toBe(0);
  });

  test('builds the targets of the Dockerfile; containers have a read-only root and no capability by default', async () => {
    const dockerfile = await readFile(join(import.meta.dirname, 'Dockerfile'), 'utf8');
    const targets = [...dockerfile.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, target]) => target);
    for (const [name, { build, read_only, cap_drop, user }] of Object.entries(containers)) {
      expect(targets).toContain(build.target);
      expect([name, read_only, cap_drop]).toEqual([name, true, ['ALL']]);
      expect(user).toBe(name === 'executor' ? '0:0' : variables.DRYDOCK_USER);
    }
    expect(containers.auth!.depends_on).toEqual({ bootstrap: { condition: 'service_completed_successfully' } });
  });
});
