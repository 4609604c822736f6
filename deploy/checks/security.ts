import { Command } from 'commander';
import { generate } from '../build/generate.ts';
import { prepareCluster } from '../dev-cluster/cluster.ts';
import { raiseKernelLimits } from '../host/kernel-limits.ts';
import { ensureSystemPackages } from '../host/system-packages.ts';
import { ensureImages } from '../images/build.ts';
import { addCounts, type Counts, countsLine, stageLine } from './stage-counts.ts';
import { DATA_DIRECTORY, IMAGES, startTestEngine } from './test-engine.ts';
import { runVitest } from './vitest-stage.ts';

/** Each with the vitest project that it is of, and its files; without, all of them. */
const SUITES: { name: string; project: string; files?: string[] }[] = [
  { name: 'authorization', project: 'e2e', files: ['test/e2e/authorization.test.ts'] },
  { name: 'hostile', project: 'hostile' },
  { name: 'hostile programs', project: 'integration', files: ['test/integration/executor/hostile.test.ts'] },
  { name: 'hostile programs on Kubernetes', project: 'kubernetes', files: ['test/kubernetes/hostile.test.ts'] },
];

const say = (line: string) => process.stdout.write(`${line}\n`);

new Command('npm run security')
  .description(
    'Runs the authorization matrix and the hostile suite, on a platform, an engine and a cluster that it starts, and prints their tables and counts. DOCKER_HOST names an engine to use instead of an own one.',
  )
  .parse();

await ensureSystemPackages(say);
await generate(say);
await raiseKernelLimits();
await prepareCluster(DATA_DIRECTORY, say);
// Not only in the cheapest place.
process.env.HOSTILE_PROGRAMS = 'all';
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
{
  await using engine = await startTestEngine();
  await ensureImages({ dockerSocket: engine.socket, cacheDirectory: IMAGES, onProgress: say });
  for (const { name, project, files = [] } of SUITES) {
    const { counts } = await runVitest(project, say, { files, verbose: true });
    addCounts(total, counts);
    say(stageLine(name, counts));
  }
}
say(countsLine(total));
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
