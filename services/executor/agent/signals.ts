import { constants } from 'node:os';

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals));

// Less common names of numbers that have several.
const ALIASES = new Set(['SIGIOT', 'SIGPOLL', 'SIGUNUSED']);
const NAMES: ReadonlyMap<number, string> = new Map(
  [...NUMBERS].filter(([name]) => !ALIASES.has(name)).map(([name, number]) => [number, name]),
);

/** The name of a signal, such as `SIGKILL`; empty for 0. */
export function signalName(number: number): string {
  return NAMES.get(number) ?? (number > 0 ? `SIG${number}` : '');
}

/** The number of a signal; undefined if the name is unknown. */
export function signalNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}
