import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

const BLOCK = 512;
const MEDIA = 'application/vnd.oci.image';
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

export type ImageConfiguration = { Entrypoint?: string[]; Env?: string[] };

/**
 * An image of one layer as the archive that container runtimes import, a piece at a time: the file is read twice, and
 * never held. `layer`: an uncompressed tar of the root file system. `reference`: in full, as `docker.io/library/a:1`.
 */
export async function* ociArchive(
  layer: string,
  reference: string,
  config: ImageConfiguration,
): AsyncGenerator<Uint8Array> {
  const { size } = await stat(layer);
  const hash = createHash('sha256');
  for await (const piece of createReadStream(layer)) hash.update(piece);
  const layerDigest = hash.digest('hex');
  const configuration = json({
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config: { mediaType: `${MEDIA}.config.v1+json`, ...descriptionOf(configuration) },
    layers: [{ mediaType: `${MEDIA}.layer.v1.tar`, digest: `sha256:${layerDigest}`, size }],
  });
  const annotations = { 'io.containerd.image.name': reference };
  const index = json({
    schemaVersion: 2,
    manifests: [{ mediaType: `${MEDIA}.manifest.v1+json`, ...descriptionOf(manifest), annotations }],
  });

  yield file('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  yield file('index.json', index);
  for (const blob of [configuration, manifest]) yield file(`blobs/sha256/${digest(blob)}`, blob);
  yield header(`blobs/sha256/${layerDigest}`, size);
  yield* createReadStream(layer);
  yield padding(size);
  yield Buffer.alloc(2 * BLOCK);
}

function file(name: string, content: Buffer): Buffer {
  return Buffer.concat([header(name, content.length), content, padding(content.length)]);
}

/** The block before a file in a tar, in the ustar format. */
function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0);
  block.write(octal(0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  // Counted as if the sum itself were spaces.
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)} `, 148);
  return block;
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

function descriptionOf(blob: Buffer) {
  return { digest: `sha256:${digest(blob)}`, size: blob.length };
}

function digest(blob: Buffer): string {
  return createHash('sha256').update(blob).digest('hex');
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
