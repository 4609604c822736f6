import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUILD, ROOT } from '../../deploy/host/root.ts';
import { ensureArchive } from '../../deploy/images/build.ts';
import { resolvedCatalog } from '../../deploy/images/resolved-catalog.ts';
import { engineSocket } from './executor/backend-under-test.ts';

/** Of services, and of sandboxes. */
const BASES = ['bookworm', 'trixie'];
const AUTHORITIES = '/usr/local/share/ca-certificates';
const BUILD_MS = 300_000;
// Debian's client speaks BuildKit by itself; another one on the path may lack the plugin for it.
const CLIENT = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';

let directory: string;
const made: string[] = [];

const docker = (...args: string[]) =>
  execa(CLIENT, ['--host', `unix://${engineSocket()}`, ...args], { env: { DOCKER_BUILDKIT: '1' } });

/** Runs a program in an image, as the chart does: nothing to write on; and without a network. */
const run = (image: string, ...command: string[]) =>
  docker('run', '--rm', '--network=none', '--read-only', image, ...command);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-dockerfiles-'));
  for (const release of BASES) {
    const base = `debian:${release}-slim`;
    const { stdout } = await docker('image', 'ls', '--quiet', base);
    if (stdout === '') await makeBase(release, base);
  }
}, BUILD_MS);

afterAll(async () => {
  if (made.length > 0) await docker('image', 'rm', ...made);
  await rm(directory, { recursive: true });
});

/** What a registry has under this name, made of packages; trusts the authorities that this machine trusts. */
async function makeBase(release: string, base: string): Promise<void> {
  const archive = join(directory, `${release}.tar`);
  const trust = existsSync(AUTHORITIES) ? [`--customize-hook=copy-in ${AUTHORITIES} ${dirname(AUTHORITIES)}`] : [];
  await execa('mmdebstrap', ['--variant=minbase', ...trust, release, archive]);
  await docker('import', archive, base);
  made.push(base);
}

describe('the Dockerfile of a platform', () => {
  const build = async (target: string): Promise<string> => {
    const tag = `drydock-dockerfile/${target}:test`;
    const file = join(ROOT, 'deploy/docker/Dockerfile');
    await docker('build', '--network=host', `--file=${file}`, `--target=${target}`, `--tag=${tag}`, ROOT);
    made.push(tag);
    return tag;
  };

  test('makes an image in which every service starts, and asks for its settings', { timeout: BUILD_MS }, async () => {
    await writeFile(join(BUILD, 'catalog.json'), await resolvedCatalog('registry.example.com/'));
    const image = await build('service');
    for (const name of ['auth', 'executor', 'gateway', 'scheduler', 'session']) {
      const started = run(image, '/usr/local/bin/node', `/app/services/${name}/main.ts`);
      await expect(started).rejects.toMatchObject({
        exitCode: 1,
        stdout: expect.stringMatching(/bad configuration\\n {2}[A-Z_]+: is required/),
      });
    }
    const { stdout: user } = await run(image, 'id', '--user');
    expect(user).toBe('1000');
    const { stdout: catalog } = await run(image, 'cat', '/app/deploy/images/catalog.json');
    expect(JSON.parse(catalog).templates[0].image).toMatch(/^registry\.example\.com\/drydock\/\w+:\w+$/);
  });

  test.for([
    ['nats', 'nats-server', '--version'],
    ['postgresql', '/usr/lib/postgresql/15/bin/postgres', '--version'],
  ] as const)('makes the image of %s', { timeout: BUILD_MS }, async ([target, ...command]) => {
    const image = await build(target);
    await run(image, ...command);
    expect(await run(image, 'id', '--user')).toMatchObject({ stdout: '1000' });
  });

  test('makes the image of the agent, with nothing besides', { timeout: BUILD_MS }, async () => {
    const image = await build('agent');
    const { stdout: id } = await docker('create', image, '/drydock-agent');
    const archive = join(directory, 'agent.tar');
    await docker('export', `--output=${archive}`, id);
    await docker('rm', id);
    const { stdout } = await execa('tar', ['--list', '--file', archive]);
    // The engine's own mount points are in every export.
    const files = stdout.split('\n').filter((path) => !/^(\.dockerenv|(dev|etc|proc|sys)\/.*)$/.test(path));
    expect(files).toEqual(['drydock-agent']);
  });
});

test('the Dockerfile of sandbox images has all that mmdebstrap makes of the same packages', {
  timeout: BUILD_MS,
}, async () => {
  const list = async (archive: string) => {
    const { stdout } = await execa('tar', ['--list', '--verbose', '--file', archive]);
    return stdout.split('\n').map((line) => {
      const [path] = line.slice(line.indexOf(' ./') + 1).split(/ (?:->|link to) /) as [string];
      return { mode: line.slice(0, line.indexOf(' ')), path };
    });
  };
  const programsIn = (files: { path: string }[]) =>
    files.map(({ path }) => path).filter((path) => /^\.\/(usr\/s?bin|home|run)\/./.test(path));
  const cacheDirectory = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';
  const bootstrapped = await list(await ensureArchive('python', { cacheDirectory }));
  const options = { builder: 'docker', cacheDirectory: directory, dockerSocket: engineSocket() } as const;
  const built = await list(await ensureArchive('python', options));
  expect(programsIn(bootstrapped)).toContain('./usr/bin/python3');
  expect(programsIn(built)).toEqual(expect.arrayContaining(programsIn(bootstrapped)));
  expect(built.filter(({ mode }) => /^-.*s/.test(mode))).toEqual([]);
});
