import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { aborted } from '#libs/lifecycle.ts';
import { generate } from '../build/generate.ts';
import { endLeftovers, killChildren } from '../host/child.ts';
import { tryLockFile } from '../host/file-lock.ts';
import { raiseKernelLimits } from '../host/kernel-limits.ts';
import { type Port, takenPorts } from '../host/ports.ts';
import { readSettings, type Settings, VARIABLES } from '../host/settings.ts';
import { diskProblemOf, StartError } from '../host/start-error.ts';
import { createSteps, together } from '../host/steps.ts';
import { ensureSystemPackages } from '../host/system-packages.ts';
import { checkDataDirectory, markDataDirectory } from './data-directory.ts';
import { describeUse, runFirstProgram } from './first-program.ts';
import { ensureFirstImage, ensureOtherImages } from './image-steps.ts';
import { type LogFiles, openLogFiles, showLogs } from './log-files.ts';
import { type Platform, startPlatform } from './platform.ts';
import {
  BACKENDS,
  type LocalBackend,
  type LocalBackendOptions,
  openLocalBackend,
  type SandboxBackend,
} from './sandbox-backend.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';

const MAX_EXECUTORS = 8;
/** Of those that are taken. */
const PORTS_NAMED = 3;

const STEP_OF = { docker: 'Docker engine', kubernetes: 'Kubernetes' };

type Options = {
  executors: number;
  backend: SandboxBackend['kind'];
  once?: boolean;
  small?: boolean;
  verbose?: boolean;
};

const command = new Command('npm start --')
  .description('Starts a whole platform on this machine, runs a first program on it, and serves until Ctrl-C.')
  .option('--executors <number>', `executor processes, 1 to ${MAX_EXECUTORS}`, toExecutors, 1)
  .addOption(new Option('--backend <name>', 'what runs sandboxes').choices(BACKENDS).default('docker'))
  .option('--once', 'stop after the first program, and after the images that are being built')
  .option('--small', 'only the first, small image: Python alone')
  .option('--verbose', 'also print what every process prints')
  .addHelpText('after', `\n${VARIABLES}`)
  .action((options: Options) => serve(options));
command
  .command('logs')
  .description('Prints the last 200 lines of the log of each process, or of those that are named.')
  .argument('[process...]', 'as in gateway, executor-1, postgres, images')
  .option('-f, --follow', 'and then what comes, until Ctrl-C')
  .action((processes: string[], { follow = false }: { follow?: boolean }) =>
    showLogs(logDirectoryOf(readSettings(process.env, 1)), processes, follow),
  );

const print = (line: string) => process.stdout.write(`${line}\n`);
const steps = createSteps(print);
const stop = new AbortController();
/** Why it cannot go on: what failed, and before that the process that ended by itself. */
const problems: { failure?: unknown; end?: StartError } = {};
let logs: LogFiles | undefined;
try {
  await command.parseAsync();
} catch (error) {
  fail(error);
}
const problem = problems.end ?? problems.failure;
if (problem) process.stderr.write(`\ncannot go on: ${describeProblem(problem)}\n`);
// An image that is being built for later would be waited for.
process.exit(problem ? 1 : 0);

async function serve(options: Options): Promise<void> {
  const settings = readSettings(process.env, options.executors);
  const runDirectory = join(settings.dataDirectory, 'run');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(runDirectory));
  // Its reader has closed it, as a terminal does.
  process.stdout.on('error', () => stop.abort());
  await checkDataDirectory(settings.dataDirectory);
  await using lock = await tryLockFile(join(runDirectory, 'lock'));
  if (!lock) throw new StartError(`another npm start holds ${runDirectory}`, 'stop it, or set DRYDOCK_DATA_DIR');
  await endLeftovers(runDirectory);
  const taken = await takenPorts(settings);
  if (taken.length > 0) throw portsTaken(taken);
  await markDataDirectory(settings.dataDirectory);
  const raised = await raiseKernelLimits();
  if (raised.length > 0) steps.say(`kernel limits raised: ${raised.join(', ')}`);
  await start(settings, runDirectory, options);
}

function end(runDirectory: string): void {
  if (stop.signal.aborted) {
    killChildren(runDirectory);
    steps.say('killed everything; the next start removes what is left');
    process.exit(1);
  }
  steps.say('stopping; again to force');
  stop.abort();
}

/** Notes why the start cannot go on. Stopping it makes it fail too, and is no failure. */
function fail(error: unknown): void {
  if (!stop.signal.aborted) problems.failure = error;
  stop.abort();
}

async function start(settings: Settings, runDirectory: string, options: Options): Promise<void> {
  const files = openLogFiles(logDirectoryOf(settings), ({ message }) => steps.say(`logs are incomplete: ${message}`));
  logs = files;
  const lastLines = new Map<string, string>();
  let onExitWhileServing: Supervisor['onExit'] | undefined;
  await using machine = new AsyncDisposableStack();
  const { local, platform } = await bringUp(settings, runDirectory, options, machine, files, {
    onLine(name, line) {
      lastLines.set(name, line);
      files.write(name, line);
      if (options.verbose) print(`${name.padEnd(10)} | ${line}`);
    },
    onExit(name, reason) {
      if (onExitWhileServing) return onExitWhileServing(name, reason);
      if (!stop.signal.aborted) problems.end ??= processEnded(name, reason, lastLines.get(name));
      stop.abort();
    },
  });
  await using supervisor = createSupervisor({
    restart: (name) => (platform.processes.has(name) ? platform : local).restart(name),
    say: steps.say,
  });
  onExitWhileServing = (name, reason) => {
    if (name === local.foundation) fail(processEnded(name, reason, lastLines.get(name)));
    else supervisor.onExit(name, reason);
  };
  const output = await steps.run('first program', () =>
    runFirstProgram(platform.httpUrl, platform.apiKey, stop.signal),
  );
  print(`\n${output}`);
  print(describeUse(platform));
  print(`Logs      ${files.directory}   (npm start -- logs [process...] --follow)\n`);
  steps.say('ready; Ctrl-C stops everything');
  const others = options.small ? undefined : ensureOtherImages(local, { logs: files, steps, signal: stop.signal });
  if (options.once) await others;
  else await aborted(stop.signal);
}

type Listeners = Pick<LocalBackendOptions, 'onLine' | 'onExit'>;

/** Starts everything, each part as soon as those that it needs are there. What is started is ended with `machine`. */
async function bringUp(
  settings: Settings,
  runDirectory: string,
  { backend: kind }: Options,
  machine: AsyncDisposableStack,
  logs: LogFiles,
  listeners: Listeners,
): Promise<{ local: LocalBackend; platform: Platform }> {
  const { dataDirectory, imageCache, databaseUrl, natsUrl, ports } = settings;
  const { signal } = stop;
  const packages = steps.run('system packages', (tell) => ensureSystemPackages(tell, undefined, signal));
  const code = steps.run('generated code', (tell) => generate(tell, { signal, parts: ['services'] }));
  const agent = steps.run('agent', (tell) => generate(tell, { signal, parts: ['sandboxes'] }));
  const openBackend = async () => {
    await Promise.all(kind === 'docker' ? [packages] : [packages, agent]);
    signal.throwIfAborted();
    const options = { dataDirectory, runDirectory, imageCache, signal, ...listeners };
    return steps.run(STEP_OF[kind], async (tell) => {
      const local = machine.use(await openLocalBackend(kind, { ...options, tell }));
      tell(local.description);
      return local;
    });
  };
  const opened = openBackend();
  const prepareSandboxes = async () => {
    const local = await opened;
    await ensureFirstImage(local, { logs, steps, signal });
    await agent;
    signal.throwIfAborted();
    return local.backend;
  };
  const backend = prepareSandboxes();
  const openPlatform = async () => {
    await packages;
    signal.throwIfAborted();
    const { run } = steps;
    const own = {
      dataDirectory,
      ports,
      databaseUrl,
      natsUrl,
      name: nameOf(dataDirectory),
      signal,
      step: run,
      ...listeners,
    };
    return machine.use(await startPlatform({ ...own, code, backend }));
  };
  const [local, platform] = await together([opened, openPlatform(), backend, code, agent, packages], fail);
  return { local, platform };
}

function logDirectoryOf({ dataDirectory }: Settings): string {
  return join(dataDirectory, 'logs');
}

/** Sets the containers of one data directory apart from those of others on the same engine. */
function nameOf(dataDirectory: string): string {
  return `local-${createHash('sha256').update(resolve(dataDirectory)).digest('hex').slice(0, 8)}`;
}

function portsTaken(taken: Port[]): StartError {
  const variables = [...new Set(taken.map(({ variable }) => variable))].join(', ');
  const list = taken.slice(0, PORTS_NAMED).map(({ port }) => port);
  const more = taken.length > PORTS_NAMED ? ` and ${taken.length - PORTS_NAMED} more` : '';
  const are = taken.length > 1 ? 'are' : 'is';
  return new StartError(
    `port ${list.join(', ')}${more} ${are} taken`,
    `end the process that listens there, or set ${variables}`,
  );
}

function processEnded(name: string, reason: string, lastLine: string | undefined): StartError {
  const words = lastLine ? `: ${lastLine}` : '';
  return new StartError(`${name} ended by itself (${reason})${words}`, `npm start -- logs ${name} shows more`);
}

/** Its whole text, where that is more than a line, goes into a log. */
function describeProblem(problem: unknown): string {
  const text = problem instanceof Error ? problem.message : `${problem}`;
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const disk = diskProblemOf(problem);
  if (disk)
    return new StartError(`${disk}: ${lines[0]}`, 'make room or make it writable, or set DRYDOCK_DATA_DIR').message;
  if (problem instanceof StartError) return text;
  if (lines.length > 1) logs?.write('start', text);
  if (lines.length < 2 || !logs) return text;
  return new StartError(`${lines[0]}: ${lines.at(-1)}`, 'npm start -- logs start shows more').message;
}

function toExecutors(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MAX_EXECUTORS)
    throw new InvalidArgumentError(`needs a number from 1 to ${MAX_EXECUTORS}`);
  return value;
}
