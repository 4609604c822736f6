import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../host/root.ts';
import type { Counts } from './stage-counts.ts';
import { IMAGES } from './test-engine.ts';

/** A stage that has not ended by then hangs: it fails, with what it printed last. */
export const STAGE_MS = 50 * 60_000;
const LOG_END = 8_000;

/** What vitest tells of a project. */
export type VitestReport = {
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

export type VitestOptions = {
  /** Test files, from the project's root. Default: all. */
  files?: readonly string[];
  /** Says all that the tests print. Default: failures, reasons of skips and unsteady tests alone. */
  verbose?: boolean;
  /** How often a test that failed is tried again. One that passes then is told of as unsteady. Default: never. */
  retries?: number;
};

/** Runs the tests of a vitest project. There is no report of one that could not start. */
export async function runVitest(
  project: string,
  say: (line: string) => void,
  { files = [], verbose = false, retries = 0 }: VitestOptions = {},
): Promise<{ counts: Counts; report?: VitestReport }> {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-report-'));
  const file = join(directory, 'report.json');
  const remarks = join(directory, 'remarks');
  try {
    // Into a file: a process that a broken test left behind may hold a pipe open for ever.
    const log = join(directory, 'log');
    const { exitCode, timedOut } = await execa(
      join(ROOT, 'node_modules/.bin/node'),
      [
        join(ROOT, 'node_modules/vitest/vitest.mjs'),
        'run',
        // It takes FORCE_COLOR, whatever its value, for a wish to have some.
        '--no-color',
        '--config',
        'test/vitest.config.ts',
        '--project',
        project,
        `--reporter=${verbose ? 'minimal' : 'default'}`,
        '--reporter=json',
        `--outputFile.json=${file}`,
        '--reporter=./deploy/checks/remarks.ts',
        '--passWithNoTests',
        `--retry=${retries}`,
        ...files,
      ],
      {
        cwd: ROOT,
        stdout: { file: log },
        stderr: { file: log, append: true },
        reject: false,
        timeout: STAGE_MS,
        forceKillAfterDelay: 30_000,
        env: { NODE_OPTIONS: '', FORCE_COLOR: '0', TEST_REMARKS: remarks, IMAGE_CACHE: IMAGES },
      },
    );
    const printed = (await readFile(log, 'utf8')).trimEnd();
    const end = verbose ? printed : printed.slice(-LOG_END);
    if (timedOut) say(`${project} did not end within ${STAGE_MS / 60_000} minutes`);
    if (!existsSync(file)) {
      say(end);
      return { counts: { passed: 0, failed: 1, skipped: 0 } };
    }
    const report = JSON.parse(await readFile(file, 'utf8')) as VitestReport;
    const counts = {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + report.numTodoTests,
    };
    // A file that cannot be loaded, a hook that throws, or an error outside of tests is a failure with no test to count.
    counts.failed += report.testResults.filter(failedOutsideOfTests).length;
    if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
    if (!verbose) sayFailures(report, say);
    if (verbose || counts.failed > report.numFailedTests) say(end);
    if (existsSync(remarks)) say((await readFile(remarks, 'utf8')).trimEnd());
    return { counts, report };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type FileReport = Pick<VitestReport['testResults'][number], 'status' | 'assertionResults'>;

function failedOutsideOfTests({ status, assertionResults }: FileReport): boolean {
  return status === 'failed' && assertionResults.every(({ status }) => status !== 'failed');
}

function sayFailures({ testResults }: VitestReport, say: (line: string) => void): void {
  for (const { name, status, message, assertionResults } of testResults) {
    if (status === 'failed' && (message || failedOutsideOfTests({ status, assertionResults })))
      say(`failed outside of its tests: ${name}\n${message}`);
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === 'failed') say(`failed ${fullName}\n${failureMessages?.join('\n').slice(0, 2000)}`);
    }
  }
}
