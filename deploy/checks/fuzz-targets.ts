import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { FuzzReport } from '#libs/fuzz-fixture.ts';
import { ROOT } from '../host/root.ts';

const AGENT = join(ROOT, 'services/agent');
/** Native targets of the agent, by package. */
const NATIVE: [name: string, packagePath: string][] = [
  ['FuzzRead', './internal/cell/wire'],
  ['FuzzPath', './internal/files'],
  ['FuzzOpen', './internal/files'],
];
/** Go ends a target that runs out of time in the middle of an input with this, though nothing was found. */
const OUT_OF_TIME = 'context deadline exceeded';
const WRITTEN = 'Failing input written to';
const MARGIN_MS = 120_000;
const OUTPUT_END = 4_000;

export type Target = FuzzReport & { output: string };

/** Tries every target for some seconds: those of the agent one after the other, beside those of vitest. */
export async function fuzz(seconds: { native: number; property: number }): Promise<Target[]> {
  const native = async (): Promise<Target[]> => {
    const targets: Target[] = [];
    for (const [name, packagePath] of NATIVE) targets.push(await fuzzNative(name, packagePath, seconds.native));
    return targets;
  };
  return (await Promise.all([native(), fuzzProperties(seconds.property)])).flat();
}

/** One line: executions and finds. */
export function lineOf({ name, executions, finds }: FuzzReport): string {
  return `fuzz ${name}: ${executions} executions, ${finds} finds`;
}

async function fuzzNative(name: string, packagePath: string, seconds: number): Promise<Target> {
  const options = [`-fuzz=^${name}$`, `-fuzztime=${seconds}s`, '-fuzzminimizetime=0s', '-parallel=1'];
  const {
    all = '',
    exitCode,
    timedOut,
  } = await execa('go', ['test', '-run=^$', ...options, packagePath], {
    cwd: AGENT,
    all: true,
    reject: false,
    timeout: seconds * 1_000 + MARGIN_MS,
    env: { CGO_ENABLED: '0' },
  });
  const executions = Number(/.*execs: (\d+)/s.exec(all)?.[1] ?? 0);
  const isFind = exitCode !== 0 && (all.includes(WRITTEN) || !all.includes(OUT_OF_TIME));
  return { name, executions, finds: isFind ? 1 : 0, output: timedOut ? 'it did not end' : all.slice(-OUTPUT_END) };
}

async function fuzzProperties(seconds: number): Promise<Target[]> {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-fuzz-'));
  try {
    const report = join(directory, 'report');
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const options = ['run', '--config', 'test/vitest.config.ts', '--project', 'unit', '.fuzz.test.ts'];
    const { all = '', exitCode } = await execa(process.execPath, [vitest, ...options], {
      cwd: ROOT,
      all: true,
      reject: false,
      env: { FUZZ_SECONDS: String(seconds), FUZZ_REPORT: report, FORCE_COLOR: '0', NODE_OPTIONS: '' },
    });
    const output = all.slice(-OUTPUT_END);
    const lines = existsSync(report) ? (await readFile(report, 'utf8')).trimEnd().split('\n') : [];
    const targets = lines.map((line) => ({ ...(JSON.parse(line) as FuzzReport), output }));
    // A file that cannot be loaded has no property to tell of it.
    const untold = exitCode !== 0 && targets.every(({ finds }) => finds === 0);
    return untold ? [...targets, { name: 'the tests of the properties', executions: 0, finds: 1, output }] : targets;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
