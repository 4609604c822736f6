import { basename, dirname, extname } from 'node:path';
import type { Language } from './types.ts';

export type Program = {
  /** Names of all its files; the entry point is one of them. */
  files: string[];
  entrypoint: string;
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

/**
 * The commands that compile and run a program, in the directory of its files. A word of a command that is a placeholder
 * becomes: `{file}` the entry point, `{class}` its name without directory and ending, `{others}` every other file of the
 * language in the order of the request, `{sources}` the entry point and these, `{siblings}` the entry point and those of
 * them in its directory, `{options}` and `{arguments}` those of the program. Nothing is filled in within a word, nor twice.
 */
export function planProgram(language: Language, program: Program): { compile: string[] | undefined; run: string[] } {
  const { entrypoint, files } = program;
  const others = files.filter((name) => name !== entrypoint && language.extensions.includes(extname(name)));
  const values: Record<(typeof PLACEHOLDERS)[number], readonly string[]> = {
    '{file}': [entrypoint],
    '{class}': [basename(entrypoint, extname(entrypoint))],
    '{sources}': [entrypoint, ...others],
    '{siblings}': [entrypoint, ...others.filter((name) => dirname(name) === dirname(entrypoint))],
    '{others}': others,
    '{options}': program.compilerOptions,
    '{arguments}': program.arguments,
  };
  const fill = (command: readonly string[]) => command.flatMap((word) => values[word as keyof typeof values] ?? [word]);
  return { compile: language.compile && fill(language.compile), run: fill(language.run) };
}
