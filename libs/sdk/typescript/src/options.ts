import { type Duration, readLimit, toMs } from './durations.ts';
import { InvalidArgumentError } from './errors.ts';
import {
  ResourceLimits as ResourceLimitsMessage,
  type ResourceUsage as ResourceUsageMessage,
} from './generated/drydock/v1/resources.ts';

/**
 * What a sandbox or a program may use. What is absent takes the template's or the language's default. What is out of range is
 * refused with InvalidArgumentError; nothing means no limit.
 */
export type ResourceLimits = {
  /** Of one run by the clock, executions only. Above 0, to 300 s; default 10 s. */
  wallTime?: Duration;
  wallTimeMs?: number;
  /** Of one run with all that it starts, executions only. Above 0, to 300 s; default 10 s. */
  cpuTime?: Duration;
  cpuTimeMs?: number;
  /** Of everything together, files in memory included; there is no swap. 64 MiB to 8 GiB; default: the template's. */
  memoryBytes?: number;
  /** Processes and threads at one time. 16 to 4,096; default: the template's. */
  processes?: number;
  /** Of each output, executions only; a program that writes more is stopped. 1 byte to 4 MiB; default 1 MiB. */
  outputBytes?: number;
  /** Files in the home and in /tmp. 1 MiB to 4 GiB, and half of the memory at most; default: the template's, or that half. */
  diskBytes?: number;
  /** 0.5 is half of one. 0.05 to 16; default: the template's. */
  cpus?: number;
  /** Of each process's first thread, executions only. 64 KiB to 4 GiB, and half of the memory at most; default 64 MiB, or that half. */
  stackBytes?: number;
  /** The largest file that a program may write, executions only. 1 byte to `diskBytes`, which is the default. */
  fileBytes?: number;
  /** Of one process, executions only. 16 to 4,096; default 1,024. */
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
  // Not randomUUID(), which pages over plain HTTP lack.
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
