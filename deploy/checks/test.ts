import { join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { outcomesTable } from '../../test/sdk/outcomes.ts';
import { generate } from '../build/generate.ts';
import { ensureCompose, ensureHelm } from '../dev-cluster/binaries.ts';
import { prepareCluster } from '../dev-cluster/cluster.ts';
import { ensureBundledImages } from '../docker/bundled-images.ts';
import { raiseKernelLimits } from '../host/kernel-limits.ts';
import { ROOT } from '../host/root.ts';
import { ensureSystemPackages, hasCommand } from '../host/system-packages.ts';
import { ensureImages } from '../images/build.ts';
import { checkBreaking } from './breaking.ts';
import { contractLines } from './contract.ts';
import { fuzz, lineOf } from './fuzz-targets.ts';
import { checkHouse } from './house.ts';
import { addCounts, type Counts, countsLine, stageLine } from './stage-counts.ts';
import { startTimes } from './stage-times.ts';
import { DATA_DIRECTORY, IMAGES, startTestEngine } from './test-engine.ts';
import { runVitest, STAGE_MS, type VitestReport } from './vitest-stage.ts';

const BIN = join(ROOT, 'node_modules/.bin');
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

/** A stage counts what it ran; one that only passes or fails counts as one. */
type Stage = { name: string; run: () => Promise<Counts> };

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
/** What vitest told of the projects that ran. */
const reports = new Map<string, VitestReport>();
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Of a test with real parts on a busy machine; what it told of at first is printed. Tests without such parts get none. */
const RETRIES = 1;

/** Of vitest. All but the first run programs. */
const PROJECTS = ['unit', 'integration', 'start', 'e2e', 'sdk', 'hostile', 'chaos', 'kubernetes'];

/**
 * The stages after those that run beside the builds: lanes of one row run side by side, and rows one after the other. A cluster
 * waits for its pods more than it works, as do the stages beside it. Its machine has one, which `start` starts too; `fuzz` and
 * `hostile` measure time, and `e2e` and `sdk` keep the cores busy.
 */
const LANES: string[][][] = [
  [['kubernetes'], ['agent', 'integration', 'chaos']],
  [['fuzz', 'start', 'e2e', 'sdk', 'hostile']],
];

const STAGES: Stage[] = [
  check('format and lint', () => tool('biome', ['check', '--error-on-warnings'])),
  check('imports', () =>
    tool('depcruise', ['--config', '.dependency-cruiser.cjs', 'services', 'libs', 'deploy', 'test']),
  ),
  check('layout', checkLayout),
  check('house', () => checkHouse(say)),
  check('types', () => tool('tsc', ['--noEmit'])),
  check('buf lint', () => tool('buf', ['lint'])),
  check('buf breaking', async () => say(`buf breaking: ${await checkBreaking()}`)),
  check('gofmt', async () => {
    const { stdout } = await execa(
      'gofmt',
      ['-l', 'services/agent', 'deploy/dev-cluster', 'libs/sdk/go', 'test/sdk/go'],
      {
        cwd: ROOT,
      },
    );
    if (stdout) throw new Error(`not formatted: ${stdout}`);
  }),
  check('go vet', async () => {
    for (const module of ['services/agent', 'libs/sdk/go'])
      await execa('go', ['vet', './...'], { cwd: join(ROOT, module), all: true });
  }),
  check('staticcheck', () =>
    execa('go', ['tool', '-modfile=tools/go.mod', 'staticcheck', './...'], {
      cwd: join(ROOT, 'libs/sdk/go'),
      all: true,
    }),
  ),
  { name: 'agent', run: () => goTests('services/agent') },
  { name: 'go sdk', run: goSdkTests },
  { name: 'fuzz', run: fuzzBriefly },
  ...PROJECTS.map((name) => ({
    name,
    async run() {
      const { counts, report } = await runVitest(name, say, { retries: name === 'unit' ? 0 : RETRIES });
      if (report) reports.set(name, report);
      return counts;
    },
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
  await using engine = wanted.some(({ name }) => runsPrograms(name)) ? await startTestEngine() : undefined;
  // Checks and builds side by side: what is fetched and unpacked waits for the disk and the network.
  await Promise.all([prepare(engine?.socket), runAll(wanted.filter(({ name }) => isLight(name)))]);
  for (const lanes of LANES)
    await Promise.all(lanes.map((lane) => runAll(wanted.filter(({ name }) => lane.includes(name)))));
}
const [onDocker, onKubernetes] = [reports.get('integration'), reports.get('kubernetes')];
if (onDocker && onKubernetes)
  for (const line of contractLines(onDocker.testResults, onKubernetes.testResults)) say(line);
if (reports.has('sdk')) say(await outcomesTable());
say(times.table());
say(countsLine(total));
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

async function runAll(stages: Stage[]): Promise<void> {
  for (const { name, run } of stages) {
    const counts = await times.of(name, run());
    addCounts(total, counts);
    say(stageLine(name, counts));
  }
}

/** Whether a stage runs beside the builds: it needs none of them, and does not measure time. */
function isLight(name: string): boolean {
  return !LANES.flat(2).includes(name);
}

/** Builds what the stages need and the caches lack: images beside the programs of a cluster, which are compiled. */
async function prepare(dockerSocket: string | undefined): Promise<void> {
  const needs = (...names: string[]) => wanted.some(({ name }) => names.includes(name));
  const images = async () => {
    if (!dockerSocket) return;
    const options = { dockerSocket, cacheDirectory: IMAGES, onProgress: say };
    if (needs('integration', 'e2e', 'sdk', 'hostile', 'chaos')) await times.of('(images)', ensureImages(options));
    if (needs('kubernetes')) await times.of('(bundled images)', ensureBundledImages(options));
  };
  const programs = async () => {
    if (needs('start', 'kubernetes')) await times.of('(cluster)', prepareCluster(DATA_DIRECTORY, say));
    const cache = join(DATA_DIRECTORY, 'cluster/bin');
    if (needs('kubernetes')) await times.of('(helm)', ensureHelm(cache, say));
    if (needs('start')) await times.of('(compose)', ensureCompose(cache, say));
  };
  await Promise.all([images(), programs()]);
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

/** With a C compiler, the race detector watches. */
async function goSdkTests(): Promise<Counts> {
  if (await hasCommand('gcc')) return goTests('libs/sdk/go', ['-race'], { CGO_ENABLED: '1' });
  say('go sdk: without the race detector, which needs gcc');
  return goTests('libs/sdk/go');
}

async function goTests(module: string, flags: string[] = [], env = { CGO_ENABLED: '0' }): Promise<Counts> {
  const { stdout, exitCode } = await execa('go', ['test', '-json', '-p', '1', ...flags, './...'], {
    cwd: join(ROOT, module),
    reject: false,
    timeout: STAGE_MS,
    maxBuffer: 64 * 1024 * 1024,
    env,
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
