import { InvalidArgumentError } from './errors.ts';
import type { Duration as DurationMessage } from './generated/google/protobuf/duration.ts';

/** A length of time in words: `"500ms"`, `"90s"`, `"10m"`, `"24h"`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Milliseconds of the option `name`, given in words (`timeout: "90s"`) or as a number (`timeoutMs: 90_000`). Undefined where
 * neither is given; null where it is null, which means no limit. Throws InvalidArgumentError for anything that is not above 0.
 */
export function readDuration<Name extends string>(
  options: { [key in Name]?: Duration | null } & { [key in `${Name}Ms`]?: number | null },
  name: Name,
): number | null | undefined {
  const given = options as Record<string, Duration | number | null | undefined>;
  const words = given[name] as Duration | null | undefined;
  const number = given[`${name}Ms`] as number | null | undefined;
  if (words !== undefined && number !== undefined) throw refused(name, `is given twice, also as ${name}Ms`);
  if (words === null || number === null) return null;
  if (number !== undefined) return positive(`${name}Ms`, number);
  return words === undefined ? undefined : positive(name, parse(name, words));
}

function parse(name: string, words: unknown): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(String(words)) ?? [];
  if (!digits || !unit) throw refused(name, `is not a duration such as "90s" or "10m": ${JSON.stringify(words)}`);
  return Number(digits) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

function positive(name: string, ms: number): number {
  if (!Number.isFinite(ms) || ms <= 0) throw refused(name, 'must be more than 0');
  return ms;
}

function refused(field: string, description: string): InvalidArgumentError {
  return new InvalidArgumentError(`${field} ${description}`, { fieldViolations: [{ field, description }] });
}

/** As `readDuration`, for what always has a limit: null is refused. */
export function readLimit<Name extends string>(
  options: { [key in Name]?: Duration } & { [key in `${Name}Ms`]?: number },
  name: Name,
): DurationMessage | undefined {
  const ms = readDuration(options, name);
  if (ms === null) throw refused(name, 'has a limit always; leave it out for the default');
  return ms === undefined ? undefined : toMessage(ms);
}

export function toMessage(ms: number): DurationMessage {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

export function toMs(duration: DurationMessage | undefined): number {
  return duration ? duration.seconds * 1_000 + duration.nanos / 1e6 : 0;
}
