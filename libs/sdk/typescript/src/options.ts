import { randomUUID } from 'node:crypto';
import { type Duration, readLimit, toMs } from './durations.ts';
import { InvalidArgumentError } from './errors.ts';
import {
  ResourceLimits as ResourceLimitsMessage,
  type ResourceUsage as ResourceUsageMessage,
} from './generated/drydock/v1/resources.ts';

/** What a sandbox or a program may use. What is absent takes the template's or the language's default. */
export type ResourceLimits = {
  /** Executions only. */
  wallTime?: Duration;
  wallTimeMs?: number;
  /** Executions only. */
  cpuTime?: Duration;
  cpuTimeMs?: number;
  memoryBytes?: number;
  processes?: number;
  outputBytes?: number;
  diskBytes?: number;
  /** 0.5 is half of one. */
  cpus?: number;
  stackBytes?: number;
  fileBytes?: number;
  openFiles?: number;
};

/** What a program used, with everything that it started. */
export type ResourceUsage = { cpuTimeMs: number; wallTimeMs: number; peakMemoryBytes: number; oomKills: number };

/** Refuses an option that nobody would honour. */
export function refuseOthers(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown) throw new InvalidArgumentError(`there is no option '${unknown}', only ${known.join(', ')}`);
}

/** Of every call. */
export const CALL_OPTIONS = ['signal', 'requestTimeout', 'requestTimeoutMs'] as const;

const NUMBERS = [
  'memoryBytes',
  'processes',
  'outputBytes',
  'diskBytes',
  'cpus',
  'stackBytes',
  'fileBytes',
  'openFiles',
] as const;

export function toLimits(limits: ResourceLimits | undefined): ResourceLimitsMessage | undefined {
  if (!limits) return undefined;
  refuseOthers(limits, ['wallTime', 'wallTimeMs', 'cpuTime', 'cpuTimeMs', ...NUMBERS]);
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, limits[name]]));
  const times = { wallTime: readLimit(limits, 'wallTime'), cpuTime: readLimit(limits, 'cpuTime') };
  return ResourceLimitsMessage.create({ ...numbers, ...times });
}

export function fromLimits(limits: ResourceLimitsMessage | undefined): ResourceLimits {
  const { wallTime, cpuTime, ...numbers } = limits ?? ResourceLimitsMessage.create();
  const given = Object.entries(numbers).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(given) as ResourceLimits),
    ...(wallTime ? { wallTimeMs: toMs(wallTime) } : {}),
    ...(cpuTime ? { cpuTimeMs: toMs(cpuTime) } : {}),
  };
}

export function toUsage(usage: ResourceUsageMessage | undefined): ResourceUsage | undefined {
  if (!usage) return undefined;
  const { cpuTime, wallTime, peakMemoryBytes, oomKills } = usage;
  return { cpuTimeMs: toMs(cpuTime), wallTimeMs: toMs(wallTime), peakMemoryBytes, oomKills };
}

/** Makes a call safe to repeat. */
export function newRequestId(): string {
  return randomUUID();
}
