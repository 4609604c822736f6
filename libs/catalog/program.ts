import { basename, dirname, extname } from 'node:path';
import type { Language } from './types.ts';

/** The limits that a command can tell its runtime. */
export type RuntimeLimits = { memoryBytes: number; stackBytes: number };

export type Program = {
  /** Names of all its files; the entry point is one of them. */
  files: string[];
  entrypoint: string;
  /** What `{class}` becomes; default: the entry point's name without directory and ending. */
  mainClass?: string | undefined;
  compilerOptions: string[];
  arguments: string[];
};

export const PLACEHOLDERS = [
  '{file}',
  '{class}',
  '{sources}',
  '{siblings}',
  '{others}',
  '{options}',
  '{arguments}',
] as const;

/** What a runtime needs beside its heap. */
const BESIDE_HEAP_MIB = 128;
const KiB = 1024;
const MiB = 1024 * KiB;
/** A limit of the run in a unit, then a percentage of it, then a ceiling. */
const LIMIT = /\{(memoryMiB|heapMiB|stackKiB|stackBytes)(?::(\d+))?(?:<(\d+))?\}/g;

/**
 * The commands that compile, run and check a program, in the directory of its files. A word of a command that is a placeholder
 * becomes: `{file}` the entry point, `{class}` its main class, `{others}` every other file of the
 * language in the order of the request, `{sources}` the entry point and these, `{siblings}` the entry point and those of
 * them in its directory, `{options}` and `{arguments}` those of the program. Nothing is filled in twice. Within a word of the
 * catalogue these become limits of the run: `{memoryMiB}`, `{stackKiB}`, `{stackBytes}`, and `{heapMiB}`, the memory less 128 MiB, at least half of
 * it. `{memoryMiB:110}` is 110 % of one, and `{stackKiB<1000}` at most 1000.
 */
export function planProgram(
  language: Language,
  program: Program,
  limits: RuntimeLimits,
): { compile: string[] | undefined; run: string[]; check: string[] | undefined } {
  const { entrypoint, files } = program;
  const others = files.filter((name) => name !== entrypoint && language.extensions.includes(extname(name)));
  const values: Record<(typeof PLACEHOLDERS)[number], readonly string[]> = {
    '{file}': [entrypoint],
    '{class}': [program.mainClass ?? basename(entrypoint, extname(entrypoint))],
    '{sources}': [entrypoint, ...others],
    '{siblings}': [entrypoint, ...others.filter((name) => dirname(name) === dirname(entrypoint))],
    '{others}': others,
    '{options}': program.compilerOptions,
    '{arguments}': program.arguments,
  };
  const fill = (command: readonly string[]) =>
    command.flatMap((word) => values[word as keyof typeof values] ?? [withLimits(word, limits)]);
  return {
    compile: language.compile && fill(language.compile),
    run: fill(language.run),
    check: language.check && fill(language.check),
  };
}

function withLimits(word: string, { memoryBytes, stackBytes }: RuntimeLimits): string {
  const memoryMiB = memoryBytes / MiB;
  const values: Record<string, number> = {
    memoryMiB,
    heapMiB: Math.max(memoryMiB / 2, memoryMiB - BESIDE_HEAP_MIB),
    stackKiB: stackBytes / KiB,
    stackBytes,
  };
  return word.replace(LIMIT, (_, name: string, percent = '100', ceiling = 'Infinity') =>
    String(Math.floor(Math.min((values[name]! * Number(percent)) / 100, Number(ceiling)))),
  );
}
