import { extname } from 'node:path';
import type { Catalog, Language } from '#libs/catalog/catalog.ts';
import { Checker, SourceFile } from '#proto/drydock/v1/execution.ts';
import { MAX_JUDGE_BYTES } from '../../executions/source-files.ts';
import type { ArchiveFile } from './archive.ts';
import type { Findings } from './findings.ts';
import { byPath } from './package.ts';

const DIRECTORY = /^output_validators?\//;
/** Scripts by which a package builds and starts a program itself. */
const SCRIPTS = new Set(['build', 'run']);
const NO_SOURCE = /\.(h|hh|hpp|txt|md)$/;

export function isOfValidator(path: string): boolean {
  return DIRECTORY.test(path);
}

/** The package's own output validator, of which there must be one. `args` are given to it. */
export async function readValidator(
  files: ReadonlyMap<string, ArchiveFile>,
  args: string[],
  { languages }: Catalog,
  findings: Findings,
): Promise<Checker | undefined> {
  const all = [...files.values()].filter(({ path }) => isOfValidator(path)).sort(byPath);
  const place = all[0]?.path.match(DIRECTORY)?.[0] ?? 'output_validators/';
  if (all.length === 0) findings.invalid(place, '', 'is missing: validation is custom');
  const programs = Map.groupBy(all, ({ path }) => programOf(path));
  if (programs.size > 1) findings.unsupported(place, '', 'has several programs; one can be used');
  const [first] = programs;
  if (!first || programs.size > 1) return undefined;
  const [root, own] = first;
  const sources = own.map((file) => ({ file, name: file.path.slice(root.length) }));
  for (const { name } of sources)
    if (SCRIPTS.has(name)) findings.unsupported(`${root}${name}`, '', 'is not run: name the sources by their language');
  if (own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) > MAX_JUDGE_BYTES) {
    findings.unsupported(root, '', 'is larger than 1 MiB');
    return undefined;
  }
  const names = sources.map(({ name }) => name).filter((name) => !NO_SOURCE.test(name));
  const language = languageOf(names, languages);
  if (!language) {
    findings.unsupported(root, '', 'is in no language that is offered, or in several');
    return undefined;
  }
  return Checker.create({
    language,
    // The first one is run where none has the usual name.
    files: await Promise.all(sources.sort((a, b) => orderOf(a.name) - orderOf(b.name)).map(toSource)),
    protocol: 'KATTIS',
    arguments: args,
  });
}

/** The directory of a program. Files that lie together are one. */
function programOf(path: string): string {
  const [top = '', second = '', ...rest] = path.split('/');
  return top === 'output_validators' && rest.length > 0 ? `${top}/${second}/` : `${top}/`;
}

function orderOf(name: string): number {
  return NO_SOURCE.test(name) ? 1 : 0;
}

/** The first language that has the extensions of all sources. */
function languageOf(names: readonly string[], languages: ReadonlyMap<string, Language>): string | undefined {
  if (names.length === 0) return undefined;
  const fits = ({ extensions }: Language) => names.every((name) => extensions.includes(extname(name)));
  return languages.values().find(fits)?.name;
}

async function toSource({ file, name }: { file: ArchiveFile; name: string }): Promise<SourceFile> {
  const value = Buffer.concat(await Array.fromAsync(file.read()));
  return SourceFile.create({ name, content: { $case: 'data', value } });
}
