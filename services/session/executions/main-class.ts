import { basename, dirname, extname, join } from 'node:path';
import type { Language } from '#libs/catalog/catalog.ts';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { type Declarations, readDeclarations } from './declarations.ts';

export type EntryPoint = { files: SourceFile[]; entrypoint: string; mainClass?: string };

/**
 * The class that the JVM runs, in languages that name it on the command line, and the files under the names that the compiler asks
 * for. Without a wanted entry point it is the file with a main method if there is no file of the language's own name. `violation`
 * gets the candidates if several files have one.
 */
export function findMainClass(
  language: Pick<Language, 'mainClass' | 'extensions' | 'sourceFile'>,
  { files, entrypoint }: Pick<EntryPoint, 'files' | 'entrypoint'>,
  wanted: string,
  violation: (description: string) => void,
): EntryPoint {
  const { mainClass: kind } = language;
  if (!kind) return { files, entrypoint };
  const declared = new Map<string, Declarations>();
  for (const { name, content } of files)
    if (language.extensions.includes(extname(name)) && content?.$case !== 'blob')
      declared.set(name, readDeclarations(kind, content ? content.value.toString() : ''));
  const entry = wanted || files.length === 1 ? entrypoint : chooseFile(language, declared, entrypoint, violation);
  const names = new Map(kind === 'java' ? namesFor(files, declared) : []);
  const { mains, package: own = '', publicType = '' } = declared.get(entry) ?? {};
  const stem = basename(entry, extname(entry));
  const main = [stem, publicType].find((name) => mains?.has(name)) ?? mains?.values().next().value ?? stem;
  return {
    files: files.map((file) => ({ ...file, name: names.get(file.name) ?? file.name })),
    entrypoint: names.get(entry) ?? entry,
    mainClass: own ? `${own}.${main}` : main,
  };
}

function chooseFile(
  { sourceFile }: Pick<Language, 'sourceFile'>,
  declared: Map<string, Declarations>,
  otherwise: string,
  violation: (description: string) => void,
): string {
  if (declared.has(sourceFile)) return sourceFile;
  const candidates = [...declared].filter(([, { mains }]) => mains.size > 0).map(([name]) => name);
  if (candidates.length > 1)
    violation(`set it to one of the files with a main method: ${candidates.slice(0, 10).join(', ')}`);
  return candidates[0] ?? otherwise;
}

/** The names of files that do not have that of their public type, unless another file has it. */
function namesFor(files: SourceFile[], declared: Map<string, Declarations>): [string, string][] {
  const taken = new Set(files.map(({ name }) => name));
  return [...declared].flatMap(([name, { publicType }]): [string, string][] => {
    const right = publicType && join(dirname(name), `${publicType}${extname(name)}`);
    if (!right || taken.has(right)) return [];
    taken.add(right);
    return [[name, right]];
  });
}
