import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { ensureHelm } from '../dev-cluster/binaries.ts';
import { prepareCluster } from '../dev-cluster/cluster.ts';
import { ensureBundledImages } from '../docker/bundled-images.ts';
import { ensureImages } from '../images/build.ts';
import { contractLines } from './contract.ts';
import { ensureEngine } from './engine.ts';
import { readExternal } from './external.ts';
import { fuzz, lineOf } from './fuzz-targets.ts';
import { generate } from './generate.ts';
import { raiseKernelLimits } from './kernel-limits.ts';
import { ROOT } from './root.ts';
import { readSettings } from './settings.ts';
import { startTimes } from './stage-times.ts';
import { ensureSystemPackages } from './system-packages.ts';

const { dataDirectory: DATA_DIRECTORY } = readSettings(process.env, 1);
const IMAGES = join(DATA_DIRECTORY, 'images');
const BIN = join(ROOT, 'node_modules/.bin');
/** A stage that has not ended by then hangs: it fails, with what it printed last. */
const STAGE_MS = 35 * 60_000;
const LOG_END = 8_000;
/** Seconds for each fuzz target: less than a minute in all. `npm run fuzz` tries them for longer. */
const FUZZ_SECONDS = { native: 10, property: 5 };
const TOP_LEVEL = [
  'LICENSE',
  'README.md',
  'buf.yaml',
  'deploy',
  'libs',
  'migrations',
  'package-lock.json',
  'package.json',
  'proto',
  'services',
  'test',
  'tsconfig.json',
];

type Counts = { passed: number; failed: number; skipped: number };

/** A stage counts what it ran; one that only passes or fails counts as one. */
type Stage = { name: string; run: () => Promise<Counts> };

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
/** What vitest told of the projects that ran. */
const reports = new Map<string, VitestReport>();
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Of vitest. All but the first run programs. */
const PROJECTS = ['unit', 'integration', 'start', 'e2e', 'hostile', 'chaos', 'kubernetes'];

const STAGES: Stage[] = [
  check('format and lint', () => tool('biome', ['check', '--error-on-warnings'])),
  check('imports', () =>
    tool('depcruise', ['--config', '.dependency-cruiser.cjs', 'services', 'libs', 'deploy', 'test']),
  ),
  check('layout', checkLayout),
  check('types', () => tool('tsc', ['--noEmit'])),
  check('buf lint', () => tool('buf', ['lint'])),
  check('buf breaking', checkBreaking),
  check('gofmt', async () => {
    const { stdout } = await execa('gofmt', ['-l', 'services/agent', 'deploy/dev-cluster'], {
      cwd: ROOT,
    });
    if (stdout) throw new Error(`not formatted: ${stdout}`);
  }),
  check('go vet', () =>
    execa('go', ['vet', './...'], {
      cwd: join(ROOT, 'services/agent'),
      all: true,
    }),
  ),
  { name: 'agent', run: goTests },
  { name: 'fuzz', run: fuzzBriefly },
  ...PROJECTS.map((name) => ({
    name,
    run: () => vitest(name),
  })),
];

const names = STAGES.map(({ name }) => name);
const command = new Command('npm test --')
  .description('Runs every check and test, or only the stages named. Starts all that they need.')
  .argument('[stage...]', names.join(', '))
  .parse();
const wanted = command.args.length > 0 ? STAGES.filter(({ name }) => command.args.includes(name)) : STAGES;
if (command.args.some((name) => !names.includes(name))) command.error(`error: the stages are ${names.join(', ')}`);

await ensureSystemPackages(say);
await generate(say);
await raiseKernelLimits();
const times = startTimes();
{
  const runsPrograms = (name: string) => PROJECTS.includes(name) && name !== 'unit';
  await using engine = wanted.some(({ name }) => runsPrograms(name)) ? await startEngine() : undefined;
  if (engine) process.env.DOCKER_SOCKET = engine.socket;
  process.env.IMAGE_CACHE = IMAGES;
  // Checks and builds side by side: what is fetched and unpacked waits for the disk and the network.
  const [light, heavy] = [wanted.filter(({ name }) => isLight(name)), wanted.filter(({ name }) => !isLight(name))];
  await Promise.all([prepare(engine?.socket), runAll(light)]);
  await runAll(heavy);
}
const [onDocker, onKubernetes] = [reports.get('integration'), reports.get('kubernetes')];
if (onDocker && onKubernetes)
  for (const line of contractLines(onDocker.testResults, onKubernetes.testResults)) say(line);
say(times.table());
say(describe(total));
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

async function runAll(stages: Stage[]): Promise<void> {
  for (const { name, run } of stages) {
    const counts = await times.of(name, run());
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key];
    say(`${counts.failed ? 'FAIL' : 'ok  '} ${name}: ${describe(counts)}`);
  }
}

/** Whether a stage needs no engine, and does not measure time. */
function isLight(name: string): boolean {
  return !['agent', 'fuzz', ...PROJECTS].includes(name) || name === 'unit';
}

/** Builds what the stages need and the caches lack: images beside the programs of a cluster, which are compiled. */
async function prepare(dockerSocket: string | undefined): Promise<void> {
  const needs = (...names: string[]) => wanted.some(({ name }) => names.includes(name));
  const images = async () => {
    if (!dockerSocket) return;
    const options = { dockerSocket, cacheDirectory: IMAGES, onProgress: say };
    if (needs('integration', 'e2e', 'hostile', 'chaos')) await times.of('(images)', ensureImages(options));
    if (needs('kubernetes')) await times.of('(bundled images)', ensureBundledImages(options));
  };
  const programs = async () => {
    if (needs('start', 'kubernetes')) await times.of('(cluster)', prepareCluster(DATA_DIRECTORY, say));
    if (needs('kubernetes')) await times.of('(helm)', ensureHelm(join(DATA_DIRECTORY, 'cluster/bin'), say));
  };
  await Promise.all([images(), programs()]);
}

function describe({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** An engine for the stages that run programs. */
function startEngine() {
  return ensureEngine({
    dataDirectory: DATA_DIRECTORY,
    runDirectory: join(DATA_DIRECTORY, 'run'),
    dockerHost: readExternal(process.env).dockerHost,
  });
}

function check(name: string, run: () => PromiseLike<unknown>): Stage {
  return {
    name,
    async run() {
      try {
        await run();
        return { passed: 1, failed: 0, skipped: 0 };
      } catch (error) {
        say(String((error as { all?: string }).all || (error as Error).message));
        return { passed: 0, failed: 1, skipped: 0 };
      }
    },
  };
}

function tool(name: string, args: string[]) {
  return execa(join(BIN, name), args, {
    cwd: ROOT,
    all: true,
    env: { PATH: `${BIN}:${process.env.PATH}`, FORCE_COLOR: '0' },
  });
}

async function checkLayout(): Promise<void> {
  const { stdout } = await execa('git', ['ls-tree', '--name-only', 'HEAD'], {
    cwd: ROOT,
  });
  const entries = stdout.split('\n').filter((name) => !name.startsWith('.'));
  if (entries.sort().join() !== TOP_LEVEL.join())
    throw new Error(`top-level entries are ${entries.join(', ')}, not ${TOP_LEVEL.join(', ')}`);
}

/** Holds the protos against those of the last commit that had some, which is this one unless they are being changed. */
async function checkBreaking(): Promise<void> {
  const git = (args: string[]) => execa('git', args, { cwd: ROOT });
  const { stdout: head } = await git(['rev-list', '-1', 'HEAD', '--', 'proto']);
  const { stdout: changed } = await git(['status', '--porcelain', '--', 'proto']);
  const before = changed ? head : (await git(['rev-list', '-2', 'HEAD', '--', 'proto'])).stdout.split('\n')[1];
  if (!before) {
    say('buf breaking: no earlier protos to hold these against');
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'drydock-protos-'));
  try {
    const archive = join(directory, 'protos.tar');
    await git(['archive', '--output', archive, before, 'proto', 'buf.yaml']);
    await execa('tar', ['-xf', archive, '-C', directory]);
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    const build = (cwd: string, image: string) =>
      execa(join(BIN, 'buf'), ['build', '--path', 'proto/drydock', '-o', image], { cwd, all: true });
    const [was, is] = [join(directory, 'was.binpb'), join(directory, 'is.binpb')];
    await Promise.all([build(directory, was), build(ROOT, is)]);
    await tool('buf', ['breaking', is, '--against', was, '--path', 'drydock/v1', '--config', 'buf.yaml']);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function goTests(): Promise<Counts> {
  const { stdout, exitCode } = await execa('go', ['test', '-json', '-p', '1', './...'], {
    cwd: join(ROOT, 'services/agent'),
    reject: false,
    timeout: STAGE_MS,
    maxBuffer: 64 * 1024 * 1024,
    env: { CGO_ENABLED: '0' },
  });
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const output = new Map<string, string[]>();
  for (const line of stdout.split('\n').filter((line) => line.startsWith('{'))) {
    const { Action, Test, Output } = JSON.parse(line) as {
      Action: string;
      Test?: string;
      Output?: string;
    };
    if (!Test) continue;
    if (Action === 'output') output.set(Test, [...(output.get(Test) ?? []), Output ?? '']);
    if (Action === 'pass') counts.passed += 1;
    if (Action === 'fail') {
      counts.failed += 1;
      say(output.get(Test)?.join('') ?? Test);
    }
    if (Action === 'skip') {
      counts.skipped += 1;
      say(`skipped ${Test}: ${output.get(Test)?.at(-2)?.trim() ?? 'no reason given'}`);
    }
  }
  if (exitCode !== 0 && counts.failed === 0) {
    say(stdout.slice(-2000));
    counts.failed += 1;
  }
  return counts;
}

async function fuzzBriefly(): Promise<Counts> {
  const targets = await fuzz(FUZZ_SECONDS);
  for (const target of targets) {
    say(lineOf(target));
    if (target.finds > 0) say(target.output);
  }
  const failed = targets.filter(({ finds }) => finds > 0).length;
  return { passed: targets.length - failed, failed, skipped: 0 };
}

type VitestReport = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: {
      status: string;
      fullName: string;
      failureMessages: string[] | null;
    }[];
  }[];
};

async function vitest(project: string): Promise<Counts> {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-report-'));
  const file = join(directory, 'report.json');
  const skips = join(directory, 'skips');
  try {
    // Into a file: a process that a broken test left behind may hold a pipe open for ever.
    const log = join(directory, 'log');
    const { exitCode, timedOut } = await execa(
      join(BIN, 'node'),
      [
        join(ROOT, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--config',
        'test/vitest.config.ts',
        '--project',
        project,
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${file}`,
        '--reporter=./deploy/local/skip-reasons.ts',
        '--passWithNoTests',
      ],
      {
        cwd: ROOT,
        stdout: { file: log },
        stderr: { file: log, append: true },
        reject: false,
        timeout: STAGE_MS,
        forceKillAfterDelay: 30_000,
        env: { NODE_OPTIONS: '', FORCE_COLOR: '0', SKIP_REASONS: skips },
      },
    );
    if (timedOut) say(`${project} did not end within ${STAGE_MS / 60_000} minutes`);
    if (!existsSync(file)) {
      say(await endOf(log));
      return { passed: 0, failed: 1, skipped: 0 };
    }
    const report = JSON.parse(await readFile(file, 'utf8')) as VitestReport;
    reports.set(project, report);
    printFailures(report);
    if (existsSync(skips)) say((await readFile(skips, 'utf8')).trimEnd());
    const counts = {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + report.numTodoTests,
    };
    // A file that cannot be loaded, or an error outside of tests, is a failure with no test to count.
    if (exitCode !== 0 && counts.failed === 0) {
      say(await endOf(log));
      counts.failed = 1;
    }
    return counts;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function endOf(log: string): Promise<string> {
  return (await readFile(log, 'utf8')).slice(-LOG_END);
}

function printFailures({ testResults }: VitestReport): void {
  for (const { name, status, message, assertionResults } of testResults) {
    if (status === 'failed' && message) say(`${name}\n${message}`);
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === 'failed') say(`failed ${fullName}\n${failureMessages?.join('\n').slice(0, 2000)}`);
    }
  }
}
