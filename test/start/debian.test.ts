import { mkdtemp, rm } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDebianRoot } from './debian-root.ts';
import { environmentOf } from './start-process.ts';

/** `npm run test:start` names more, and has each of them build everything. */
const { DEBIAN_RELEASES } = process.env;
const RELEASES = (DEBIAN_RELEASES ?? 'trixie').split(',');
const TEST_MS = 15 * 60_000;
const imageCache = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';

const goCache = async () => (await execa('go', ['env', 'GOCACHE'])).stdout;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp('/tmp/dd-');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test.each(RELEASES)(
  'on a Debian %s with Node and npm alone, npm start brings the rest and runs the first program',
  { timeout: TEST_MS },
  async (release) => {
    const { DRYDOCK_DATA_DIR: _, DRYDOCK_IMAGE_CACHE: __, ...environment } = await environmentOf(directory);
    const debian = await makeDebianRoot(release, {
      directory,
      archives: imageCache,
      environment,
      ...(DEBIAN_RELEASES ? {} : { caches: { images: imageCache, go: await goCache() } }),
    });
    const offline = debian.run(['npm', 'start'], { offline: true });
    expect(await offline.ended, offline.text()).toBe(1);
    expect(offline.text()).toMatch(
      /^cannot go on: the npm packages could not be installed\n {2}fix: check the network/m,
    );

    const started = debian.run(['npm', 'start', '--', '--small', '--once']);
    expect(await started.ended, started.text()).toBe(0);
    expect(started.text()).toMatch(/system packages: installing docker\.io, /);
    expect(started.text()).toMatch(/agent: fetching go1\.\d+\.\d+ from the Go module proxy/);
    expect(started.text()).toMatch(/^Hello from Python 3\.\d+\.\d+ in a sandbox$/m);
    const development = debian.run(['test', '!', '-e', 'node_modules/vitest']);
    expect(await development.ended, 'a start installs what a platform needs alone').toBe(0);
    // The seconds of each step, to be compared.
    process.stdout.write(`${started.lines.filter((line) => /\] agent|ready \(/.test(line)).join('\n')}\n`);
  },
);
