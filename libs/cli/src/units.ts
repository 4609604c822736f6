import { InvalidArgumentError } from 'commander';
import type { Duration } from '../../sdk/typescript/src/index.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Bytes of `512MiB`, `1.5GiB`, `100MB` or a plain number. */
export function parseBytes(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (!digits || !factor) throw new InvalidArgumentError('A size is such as 512MiB, 1.5GiB or 100MB.');
  return Math.round(Number(digits) * factor);
}

export function parseDuration(text: string): Duration {
  if (!/^\d+(\.\d+)?(ms|s|m|h)$/.test(text))
    throw new InvalidArgumentError('A duration is such as 500ms, 90s, 10m or 24h.');
  return text as Duration;
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('It is a whole number above 0.');
  return Number(text);
}

export function parseNumber(text: string): number {
  if (!/^-?\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It is a number.');
  return Number(text);
}

/** Collects `KEY=VALUE`, once for each time that the option is given. */
export function collectPairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It is KEY=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

export function showBytes(bytes: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((name) => bytes >= UNITS[name]!);
  return unit ? `${Number((bytes / UNITS[unit]!).toFixed(1))} ${unit}` : `${bytes} B`;
}

export function showMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 100) / 10;
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.round(ms / 1_000);
  const minutes = Math.floor(whole / 60);
  const rest = (value: number) => String(value).padStart(2, '0');
  return minutes < 60
    ? `${minutes}:${rest(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${rest(minutes % 60)}:${rest(whole % 60)}`;
}
