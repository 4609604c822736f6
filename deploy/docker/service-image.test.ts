import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeServiceImage } from './service-image.ts';

const BUILD_MS = 120_000;
const cacheDirectory = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';
let directory: string;
let image: Awaited<ReturnType<typeof makeServiceImage>>;
let files: string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-image-'));
  image = await makeServiceImage({ cacheDirectory, directory });
  files = (await execa('tar', ['--list', '--file', image.archive])).stdout.split('\n');
}, BUILD_MS);
afterAll(() => rm(directory, { recursive: true }));

test('the image has what every service runs on, and nothing that only builds or tests it', () => {
  const services = ['auth', 'executor', 'gateway', 'scheduler', 'session'].map(
    (name) => `app/services/${name}/main.ts`,
  );
  const others = ['usr/local/bin/node', 'app/.build/descriptors.binpb', 'app/migrations/auth/0001_first.sql'];
  expect(files).toEqual(expect.arrayContaining([...services, ...others, 'app/node_modules/pg/package.json']));
  const unwanted =
    /\.(test|d)\.ts$|-fixture\.ts$|\.map$|^app\/(deploy\/local|node_modules\/(typescript|vitest|execa|node)\/)/;
  expect(files.filter((file) => unwanted.test(file))).toEqual([]);
  expect(files.filter((file) => /(^|\/)bin\/\w*sh$/.test(file))).toEqual([]);
});

test('the image’s name changes with what is in it, and only then', { timeout: BUILD_MS }, async () => {
  const again = await makeServiceImage({ cacheDirectory, directory });
  expect(again.tag).toBe(image.tag);
  const other = await makeServiceImage({ cacheDirectory, directory, registry: 'registry.example.com/' });
  expect(other.tag).not.toBe(image.tag);
});
