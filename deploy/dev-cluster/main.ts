import { Command } from 'commander';
import { aborted } from '#libs/lifecycle.ts';
import { killChildren } from '../host/child.ts';
import { readSettings } from '../host/settings.ts';
import { ensureArchive, imageTag, listImages } from '../images/build.ts';
import { RUN_DIRECTORY, startCluster } from './cluster.ts';

const known = (await listImages()).map(({ name }) => name);
const command = new Command('npm run cluster --')
  .description(
    'Starts a Kubernetes of one node on this machine, with network policies enforced, until Ctrl-C. Needs root.',
  )
  .option('--image <name...>', `images that its pods can use: ${known.join(', ')}`, ['python'])
  .option('--logs', 'show what its components print')
  .addHelpText(
    'after',
    `
The first start builds Kubernetes and Calico from source, which takes some ten minutes; later ones take seconds.

Environment:
  DRYDOCK_DATA_DIR      where binaries are kept, and a running cluster's files (/var/lib/drydock)
  DRYDOCK_IMAGE_CACHE   where built images are kept (images, below DRYDOCK_DATA_DIR)
`,
  )
  .parse();
const { image: images, logs = false } = command.opts<{ image: string[]; logs?: boolean }>();
const unknown = images.filter((name) => !known.includes(name));
if (unknown.length > 0) command.error(`error: no image is called ${unknown.join(', ')}: there are ${known.join(', ')}`);

const began = performance.now();
const say = (line: string) => process.stdout.write(`${line}\n`);
const progress = (line: string) => say(`[${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s] ${line}`);
const stop = new AbortController();
let failed = false;
let ready = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end);
try {
  await run();
} catch (error) {
  // Stopping a start makes it fail.
  failed ||= ready || !stop.signal.aborted;
  if (failed) process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
}
if (!failed) progress('nothing is left but what was built');
process.exit(failed ? 1 : 0);

function end(): void {
  if (stop.signal.aborted) {
    killChildren(RUN_DIRECTORY);
    progress('killed everything; the next start removes what is left');
    process.exit(1);
  }
  progress('stopping; again to force');
  stop.abort();
}

async function run(): Promise<void> {
  const { dataDirectory, imageCache } = readSettings(process.env, 1);
  await using cluster = await startCluster({
    dataDirectory,
    onProgress: progress,
    onLine: (name, line) => logs && say(`${name.padEnd(24)}| ${line}`),
    onExit(name, reason) {
      progress(`${name} ended by itself: ${reason}`);
      failed = true;
      stop.abort();
    },
  });
  for (const name of stop.signal.aborted ? [] : images) {
    const archive = await ensureArchive(name, {
      dockerSocket: '/var/run/docker.sock',
      cacheDirectory: imageCache,
      onProgress: progress,
    });
    await cluster.importImage(archive, await imageTag(name));
    progress(`pods can use ${await imageTag(name)}`);
  }
  if (stop.signal.aborted) return;
  const kubectl = `${cluster.kubectl} --kubeconfig ${cluster.kubeconfig}`;
  say(`\nKUBECONFIG=${cluster.kubeconfig}\n\n${kubectl} get nodes`);
  for (const name of images.slice(0, 1))
    say(
      `${kubectl} run hello --rm -i --restart Never --image-pull-policy Never --image ${await imageTag(name)} -- uname -a`,
    );
  ready = true;
  progress('ready; Ctrl-C stops everything');
  await aborted(stop.signal);
}
