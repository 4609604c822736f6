import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ociArchive } from './oci-archive.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp('/tmp/dd-oci-');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('an archive is a tar of blobs that are called by what is in them, the layer among them', async () => {
  const layer = Buffer.alloc(100_001, 'x');
  await writeFile(join(directory, 'layer'), layer);
  const archive = ociArchive(join(directory, 'layer'), 'docker.io/library/a:1', { Entrypoint: ['/a'] });
  await execa('tar', ['-C', directory, '-xf', '-'], { input: Readable.from(archive, { objectMode: false }) });

  const read = async (path: string) => JSON.parse(await readFile(join(directory, path), 'utf8'));
  const index = await read('index.json');
  expect(index.manifests[0].annotations).toEqual({ 'io.containerd.image.name': 'docker.io/library/a:1' });
  const blob = (digest: string) => `blobs/${digest.replace(':', '/')}`;
  const manifest = await read(blob(index.manifests[0].digest));
  expect(await readFile(join(directory, blob(manifest.layers[0].digest)))).toEqual(layer);
  expect(await read(blob(manifest.config.digest))).toMatchObject({
    config: { Entrypoint: ['/a'] },
    rootfs: { diff_ids: [manifest.layers[0].digest] },
  });
  for (const name of await readdir(join(directory, 'blobs/sha256'))) {
    const content = await readFile(join(directory, 'blobs/sha256', name));
    expect(createHash('sha256').update(content).digest('hex')).toBe(name);
  }
});
