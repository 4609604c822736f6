import { basename, extname } from 'node:path';
import type { Language } from '#libs/catalog/catalog.ts';

export type Program = {
  /** Names of all its files; the entry point is one of them. */
  files: string[];
  entrypoint: string;
  compilerOptions: string[];
  arguments: string[];
};

/**
 * The commands that compile and run a program. Placeholders: `{file}` the entry point, `{class}` its name without the
 * ending, `{sources}` the entry point and every other file of the language, `{options}`, `{arguments}`.
 */
export function planProgram(language: Language, program: Program): { compile: string[] | undefined; run: string[] } {
  const { entrypoint, files } = program;
  const others = files.filter((name) => name !== entrypoint && language.extensions.includes(extname(name)));
  const values: Record<string, string[]> = {
    '{file}': [entrypoint],
    '{class}': [basename(entrypoint, extname(entrypoint))],
    '{sources}': [entrypoint, ...others],
    '{options}': program.compilerOptions,
    '{arguments}': program.arguments,
  };
  const fill = (command: string[]) => command.flatMap((word) => values[word] ?? [word]);
  return { compile: language.compile && fill(language.compile), run: fill(language.run) };
}
