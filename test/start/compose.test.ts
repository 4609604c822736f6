import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DATA_DIRECTORY, IMAGES } from '../../deploy/checks/test-engine.ts';
import { ensureCompose } from '../../deploy/dev-cluster/binaries.ts';
import { ensureBundledImage } from '../../deploy/docker/bundled-images.ts';
import { importImage } from '../../deploy/docker/import-image.ts';
import { prepareCompose } from '../../deploy/docker/prepare-compose.ts';
import { makeServiceImage } from '../../deploy/docker/service-image.ts';
import { BUILD, ROOT } from '../../deploy/host/root.ts';
import { ensureImage } from '../../deploy/images/build.ts';
import { resolvedCatalog } from '../../deploy/images/resolved-catalog.ts';
import { runFirstProgram } from '../../deploy/local/first-program.ts';
import { freePort } from '../support/ports.ts';

const UP_MS = 240_000;
const PROJECT = 'drydock-compose-test';
const IMAGE_NAMES = ['service', 'postgresql', 'nats'] as const;
const dockerSocket = process.env.DOCKER_SOCKET ?? '/var/run/docker.sock';
const say = (line: string) => process.stderr.write(`${line}\n`);
const imageOf = (name: string) => `drydock-compose-test/${name}:1`;

let home: string;
let environment: Record<string, string>;
beforeAll(async () => {
  // Short, for the sockets in it.
  home = await mkdtemp('/tmp/dd-');
  const options = { dockerSocket, cacheDirectory: IMAGES, onProgress: say };
  const service = await makeServiceImage({ ...options, directory: home });
  const [postgresql, nats] = [
    await ensureBundledImage('postgresql', options),
    await ensureBundledImage('nats', options),
  ];
  const built = { service, postgresql, nats };
  for (const name of IMAGE_NAMES) await importImage(dockerSocket, built[name], imageOf(name));
  await ensureImage('python', options);
  await writeFile(join(BUILD, 'catalog.json'), await resolvedCatalog());
  const plugins = join(home, 'docker/cli-plugins');
  await mkdir(plugins, { recursive: true });
  const plugin = await ensureCompose(join(DATA_DIRECTORY, 'cluster/bin'), say);
  await symlink(plugin, join(plugins, 'docker-compose'));
  const ports = { gateway: await freePort(), http: await freePort() };
  environment = {
    ...(await prepareCompose({ home, dockerSocket, imageOf, ports })),
    DOCKER_CONFIG: join(home, 'docker'),
    DOCKER_HOST: `unix://${dockerSocket}`,
  };
}, UP_MS);

afterAll(async () => {
  await compose('down', '--timeout', '20');
  await docker('image', 'rm', ...IMAGE_NAMES.map(imageOf));
  await rm(home, { recursive: true, force: true });
});

const docker = (...args: string[]) => execa('docker', args, { cwd: ROOT, env: environment, all: true });
const compose = (...args: string[]) =>
  docker('compose', '--file', 'deploy/docker/compose.yaml', '--project-name', PROJECT, ...args);

const containersOf = async (label: string) =>
  (await docker('ps', '--all', '--quiet', '--filter', `label=${label}`)).stdout.split('\n').filter(Boolean);

test('docker compose brings a platform up that runs a first program, and takes all of it down', {
  timeout: UP_MS,
}, async () => {
  await compose('up', '--detach', '--wait', '--no-build').catch(async (error) => {
    throw new Error(`${error.all}\n${(await compose('logs', '--tail', '20')).stdout}`);
  });
  const httpUrl = `http://127.0.0.1:${environment.DRYDOCK_HTTP_PORT}`;
  expect(await runFirstProgram(httpUrl, environment.OPERATOR_API_KEY!)).toMatch(/^Hello from Python 3\.\d+\.\d+ in a/);

  await compose('down', '--timeout', '20');
  expect(await containersOf(`com.docker.compose.project=${PROJECT}`)).toEqual([]);
  expect(await containersOf(`drydock.executor=${environment.DRYDOCK_EXECUTOR_ID}`)).toEqual([]);
});
