import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { generate } from '../build/generate.ts';
import { BUILD } from '../host/root.ts';
import { makeAgentImage } from '../images/agent-image.ts';
import { ensureBundledImage } from './bundled-images.ts';
import { importImage } from './import-image.ts';
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
    const image = await make(name);
    const full = `${registry}${image.tag}`;
    if (dockerSocket) await importImage(dockerSocket, image, full);
    process.stdout.write(`${full} ${image.archive}\n`);
  }
} catch (error) {
  command.error(`error: ${(error as Error).message}`);
}

function make(name: (typeof NAMES)[number]): Promise<BuiltImage> {
  if (name === 'service') return makeServiceImage(options);
  if (name === 'agent') return makeAgentImage(join(BUILD, 'bin/drydock-agent'), directory);
  return ensureBundledImage(name, options);
}
