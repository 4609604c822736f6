import type { FieldViolation } from '#libs/errors.ts';
import type { AppliedLimits } from '#proto/drydock/internal/v1/spec.ts';
import type { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import type { SandboxLimits } from './types.ts';

const MiB = 1024 * 1024;

type Range = { min: number; max: number };

/** The least and the most of each, as the public API promises. */
export const RANGES = {
  memoryBytes: { min: 64 * MiB, max: 8192 * MiB },
  processes: { min: 16, max: 4096 },
  outputBytes: { min: 1, max: 4 * MiB },
  diskBytes: { min: 1 * MiB, max: 4096 * MiB },
  cpus: { min: 0.05, max: 16 },
  stackBytes: { min: 64 * 1024, max: 4096 * MiB },
  fileBytes: { min: 1, max: 4096 * MiB },
  openFiles: { min: 16, max: 4096 },
} satisfies Record<string, Range>;

const MAX_TIME_MS = 300_000;

/** How far ahead the deadline of a sandbox may be, each time that it is set. */
export const MAX_LIFETIME_MS = 24 * 3_600_000;

export type TimeDefaults = { wallMs: number; cpuMs: number };

export const RUN_TIMES: TimeDefaults = { wallMs: 10_000, cpuMs: 10_000 };
export const COMPILE_TIMES: TimeDefaults = { wallMs: 30_000, cpuMs: 30_000 };

const DEFAULT_OUTPUT_BYTES = 1 * MiB;
const DEFAULT_STACK_BYTES = 64 * MiB;
const DEFAULT_OPEN_FILES = 1024;

/**
 * Limits with every field set: what was asked for, else the template's. Each value out of range is told to `violation`
 * as `{field}.…`: a missing limit means the default and nothing means unlimited.
 */
export function applyLimits(
  field: string,
  requested: ResourceLimits | undefined,
  template: Readonly<SandboxLimits>,
  times: TimeDefaults,
  violation: (field: FieldViolation['field'], description: string) => void,
): AppliedLimits {
  const number = (name: keyof typeof RANGES, fallback: number): number => {
    const value = requested?.[name];
    if (value === undefined) return fallback;
    const { min, max } = RANGES[name];
    const whole = name === 'cpus' || Number.isInteger(value);
    if (!(value >= min && value <= max && whole)) violation(`${field}.${name}`, `must be from ${min} to ${max}`);
    return value;
  };
  const time = (name: 'wallTime' | 'cpuTime', fallbackMs: number): Duration => {
    const value = requested?.[name];
    if (value === undefined) return durationOf(fallbackMs);
    const ms = millisecondsOf(value);
    if (!(ms > 0 && ms <= MAX_TIME_MS))
      violation(`${field}.${name}`, `must be above 0 and at most ${MAX_TIME_MS / 1000} s`);
    return value;
  };
  const memoryBytes = number('memoryBytes', template.memoryBytes);
  const half = Math.floor(memoryBytes / 2);
  const diskBytes = number('diskBytes', Math.min(template.diskBytes, half));
  if (diskBytes > half) violation(`${field}.diskBytes`, 'must be at most half of the memory');
  const stackBytes = number('stackBytes', Math.min(DEFAULT_STACK_BYTES, half));
  if (stackBytes > half) violation(`${field}.stackBytes`, 'must be at most half of the memory');
  const fileBytes = number('fileBytes', diskBytes);
  if (fileBytes > diskBytes) violation(`${field}.fileBytes`, 'must be at most diskBytes');
  return {
    wallTime: time('wallTime', times.wallMs),
    cpuTime: time('cpuTime', times.cpuMs),
    memoryBytes,
    processes: number('processes', template.processes),
    outputBytes: number('outputBytes', DEFAULT_OUTPUT_BYTES),
    diskBytes,
    cpus: number('cpus', template.cpus),
    stackBytes,
    fileBytes,
    openFiles: number('openFiles', DEFAULT_OPEN_FILES),
  };
}

export function millisecondsOf({ seconds, nanos }: Duration): number {
  return seconds * 1000 + nanos / 1e6;
}

export function durationOf(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}
