import { durationOf, RANGES } from '#libs/catalog/limits.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { MiB } from '../../requests/checks.ts';
import type { Findings } from './findings.ts';
import type { Package } from './package.ts';
import { isMapping, type Mapping } from './yaml-file.ts';

const FILE = 'problem.yaml';
const MAX_TIME_S = 300;
/** What a program may wait, beyond three times its CPU time: a template may give it half of a CPU. */
const WAIT_MS = 1_000;

/** Keys that say how a time limit is found, or hold for what is not run here. */
const NOTES: Record<string, string> = {
  time_multiplier: 'the time limit is not derived from submissions',
  time_multipliers: 'the time limit is not derived from submissions',
  time_safety_margin: 'the time limit is not derived from submissions',
  time_resolution: 'times are not rounded',
  code: 'sources may have 10 MiB',
  compilation_memory: 'a compiler has the memory of the run, or its own where it needs more',
  validation_time: 'an output validator has 10 s',
  validation_memory: 'an output validator has what its language has',
  validation_output: 'an output validator has what its language has',
};

type Limits = Pick<Package, 'limits' | 'compileLimits'>;

/** Limits as `problem.yaml` has them. `timeLimitS` is of another file; absent: none. */
export function readLimits(yaml: Mapping, timeLimitS: number | undefined, findings: Findings): Limits {
  const given = yaml.limits ?? {};
  if (!isMapping(given)) {
    findings.invalid(FILE, 'limits', 'must be a mapping');
    return {};
  }
  const { time_limit, memory, output, compilation_time, passes, ...rest } = given;
  if (passes !== undefined) findings.unsupported(FILE, 'limits.passes', 'a program is run once for a test case');
  for (const key of Object.keys(rest)) findings.note(FILE, `limits.${key}`, NOTES[key] ?? 'is unknown');
  const seconds = time_limit === undefined ? timeLimitS : positive('time_limit', time_limit, findings);
  if (seconds === undefined) findings.note(FILE, 'limits.time_limit', 'is missing: a run has 10 s');
  else if (seconds > MAX_TIME_S) findings.unsupported(FILE, 'limits.time_limit', `is more than ${MAX_TIME_S} s`);
  const compileS = positive('compilation_time', compilation_time, findings);
  if (compileS && compileS > MAX_TIME_S)
    findings.unsupported(FILE, 'limits.compilation_time', `is more than ${MAX_TIME_S} s`);
  const compileTime = compileS && durationOf(Math.min(compileS, MAX_TIME_S) * 1000);
  return {
    limits: ResourceLimits.create({
      ...timesOf(seconds),
      ...memoryOf(memory, findings),
      outputBytes: outputOf(output, findings),
    }),
    ...(compileTime && { compileLimits: ResourceLimits.create({ wallTime: compileTime, cpuTime: compileTime }) }),
  };
}

function timesOf(seconds: number | undefined) {
  if (!seconds) return {};
  const cpuMs = Math.min(seconds, MAX_TIME_S) * 1000;
  return { cpuTime: durationOf(cpuMs), wallTime: durationOf(Math.min(3 * cpuMs + WAIT_MS, MAX_TIME_S * 1000)) };
}

function memoryOf(value: unknown, findings: Findings) {
  const memory = positive('memory', value, findings);
  if (memory === undefined) return {};
  const { min, max } = RANGES.memoryBytes;
  const memoryBytes = Math.floor(memory * MiB);
  if (memoryBytes < min || memoryBytes > max)
    findings.unsupported(FILE, 'limits.memory', `must be from ${min / MiB} to ${max / MiB} MiB`);
  return { memoryBytes };
}

/** The usual one is more than there can be. */
function outputOf(value: unknown, findings: Findings): number {
  const output = positive('output', value, findings);
  const { max } = RANGES.outputBytes;
  if (output !== undefined && output * MiB > max)
    findings.note(FILE, 'limits.output', 'is 4 MiB here; a program that writes more is stopped');
  return output === undefined ? max : Math.max(1, Math.min(max, Math.floor(output * MiB)));
}

function positive(key: string, value: unknown, findings: Findings): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  findings.invalid(FILE, `limits.${key}`, 'must be a number above 0');
  return undefined;
}
