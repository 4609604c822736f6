import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { makeAgentImage } from '../images/agent-image.ts';
import { generate } from '../local/generate.ts';
import { BUILD } from '../local/root.ts';
import { ensureBundledImage } from './bundled-images.ts';
import { type BuiltImage, makeServiceImage } from './service-image.ts';

const NAMES = ['service', 'agent', 'postgresql', 'nats'] as const;

const command = new Command('node deploy/docker/build.ts')
  .description('Makes the images of a platform, and prints the tag and the root file system of each.')
  .option('--registry <prefix>', 'what tags, and the images that sandboxes are made of, are to begin with', '')
  .option('--docker-socket <path>', 'unix socket of an engine that is given them, to be pushed from there')
  .parse();
const { registry: given, dockerSocket } = command.opts<{ registry: string; dockerSocket?: string }>();
const registry = given && `${given.replace(/\/$/, '')}/`;
const onProgress = (line: string) => process.stderr.write(`${line}\n`);
const directory = join(BUILD, 'docker');
const options = { directory, registry, cacheDirectory: join(BUILD, 'images'), onProgress };
try {
  await mkdir(directory, { recursive: true });
  await generate(onProgress);
  for (const name of NAMES) {
    const { archive, tag } = await make(name);
    const full = `${registry}${tag}`;
    if (dockerSocket) await importInto(dockerSocket, archive, full);
    process.stdout.write(`${full} ${archive}\n`);
  }
} catch (error) {
  command.error(`error: ${(error as Error).message}`);
}

function make(name: (typeof NAMES)[number]): Promise<BuiltImage> {
  if (name === 'service') return makeServiceImage(options);
  if (name === 'agent') return makeAgentImage(join(BUILD, 'bin/drydock-agent'), directory);
  return ensureBundledImage(name, options);
}

async function importInto(socket: string, archive: string, tag: string): Promise<void> {
  const path = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  await execa('docker', [
    '--host',
    `unix://${socket}`,
    'import',
    '--change',
    path,
    '--change',
    'USER 1000',
    archive,
    tag,
  ]);
}
