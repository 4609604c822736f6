import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { aborted } from '#libs/lifecycle.ts';
import { lockDirectory } from '#libs/lock-directory.ts';
import { listImages } from '../images/build.ts';
import { endLeftovers, killChildren } from './child.ts';
import { describeUse, runFirstProgram } from './first-program.ts';
import { generate } from './generate.ts';
import { startPlatform } from './platform.ts';
import { type Port, takenPorts } from './ports.ts';
import { BACKENDS, type LocalBackend, openLocalBackend, type SandboxBackend } from './sandbox-backend.ts';
import { readSettings, type Settings, VARIABLES } from './settings.ts';
import { ensureSystemPackages } from './system-packages.ts';

const MAX_EXECUTORS = 8;
/** Small enough to wait for; the others follow while the platform runs. */
const FIRST_IMAGE = 'python';

const command = new Command('npm start --')
  .description('Starts a whole platform on this machine, runs a first program on it, and serves until Ctrl-C.')
  .option('--executors <number>', `executor processes, 1 to ${MAX_EXECUTORS}`, toExecutors, 1)
  .addOption(new Option('--backend <name>', 'what runs sandboxes').choices(BACKENDS).default('docker'))
  .option('--once', 'stop after the first program')
  .option('--small', 'only the first, small image: Python alone')
  .addHelpText('after', `\n${VARIABLES}`)
  .parse();

const started = performance.now();
const say = (line: string) => process.stdout.write(`${line}\n`);
const progress = (line: string) => say(`[${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s] ${line}`);
const {
  executors,
  backend: kind,
  once = false,
  small = false,
} = command.opts<{ executors: number; backend: SandboxBackend['kind']; once?: boolean; small?: boolean }>();
const stop = new AbortController();
let failed = false;
try {
  const settings = readSettings(process.env, executors);
  const runDirectory = join(settings.dataDirectory, 'run');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end(runDirectory));
  await start(settings, runDirectory);
} catch (error) {
  failed ||= !stop.signal.aborted;
  if (failed) process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
}
// An image that is being built for later would be waited for.
process.exit(failed ? 1 : 0);

function end(runDirectory: string): void {
  if (stop.signal.aborted) {
    killChildren(runDirectory);
    progress('killed everything; the next start removes what is left');
    process.exit(1);
  }
  progress('stopping; again to force');
  stop.abort();
}

async function start(settings: Settings, runDirectory: string): Promise<void> {
  const { dataDirectory, databaseUrl, natsUrl, ports } = settings;
  const onLine = (name: string, line: string) => say(`${name.padEnd(10)} | ${line}`);
  const onExit = (name: string, reason: string) => {
    progress(`${name} ended by itself: ${reason}`);
    failed = true;
    stop.abort();
  };

  await ensureSystemPackages(progress);
  await using _hold = await lockDirectory(runDirectory, 'another npm start');
  await endLeftovers(runDirectory);
  const taken = await takenPorts(settings);
  if (taken.length > 0) throw new Error(taken.map(describeTaken).join('\n'));
  await generate(progress);
  const { imageCache } = settings;
  await using local = await openLocalBackend(kind, {
    dataDirectory,
    runDirectory,
    imageCache,
    progress,
    onLine,
    onExit,
  });
  progress(local.description);
  await local.ensureImage(FIRST_IMAGE);
  if (stop.signal.aborted) return;

  await using platform = await startPlatform({
    dataDirectory,
    backend: local.backend,
    ports,
    name: nameOf(dataDirectory),
    databaseUrl,
    natsUrl,
    onLine,
    onExit,
  });
  if (stop.signal.aborted) return;
  progress('the platform runs');
  const others = small ? undefined : ensureOthers(local).catch((error) => progress(error.message));
  say(`\n${await runFirstProgram(platform.httpUrl, platform.apiKey)}`);
  say(describeUse(platform.httpUrl, platform.gatewayAddress, platform.apiKey));
  progress('ready; Ctrl-C stops everything');
  if (once) await others;
  else await aborted(stop.signal);
}

async function ensureOthers(local: LocalBackend): Promise<void> {
  // One after the other: a build keeps every core busy by itself.
  for (const { name } of await listImages()) if (name !== FIRST_IMAGE) await local.ensureImage(name);
}

/** Sets the containers of one data directory apart from those of others on the same engine. */
function nameOf(dataDirectory: string): string {
  return `local-${createHash('sha256').update(resolve(dataDirectory)).digest('hex').slice(0, 8)}`;
}

function describeTaken({ port, variable }: Port): string {
  return `port ${port} is taken: stop what listens there, or set ${variable}`;
}

function toExecutors(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MAX_EXECUTORS)
    throw new InvalidArgumentError(`needs a number from 1 to ${MAX_EXECUTORS}`);
  return value;
}
