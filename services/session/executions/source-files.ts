import { extname } from 'node:path';
import type { Language } from '#libs/catalog/catalog.ts';
import type { FieldChecks } from '#libs/field-checks.ts';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { MiB } from '../requests/checks.ts';
import { type EntryPoint, findMainClass } from './main-class.ts';

/** Of a checker's sources. */
export const MAX_JUDGE_BYTES = MiB;
const MAX_FILES = 1000;
const MAX_FILE_NAME_BYTES = 255;

/** The program of a request: one text, or files. */
export type Program = { source: string; files: SourceFile[]; entrypoint: string };

/** The files of a program, its entry point and its main class. Violations are added to `check`. */
export function checkFiles(
  check: FieldChecks,
  { source, files, entrypoint: wanted }: Program,
  language: Language | undefined,
  maxBytes: number,
): EntryPoint {
  if (source && files.length > 0) check.violation('source', 'cannot be combined with files');
  if (language && !source && files.length === 0) check.violation('source', 'set source or files');
  if (files.length > MAX_FILES) {
    check.violation('files', `are more than ${MAX_FILES}`);
    return { files: [], entrypoint: '' };
  }
  const all: SourceFile[] = source
    ? [{ name: wanted || language?.sourceFile || 'main', content: { $case: 'text', value: source } }]
    : files;
  const names = new Set<string>();
  let bytes = 0;
  for (const [index, { name, content }] of all.entries()) {
    const field = source ? 'entrypoint' : `files[${index}].name`;
    const problem = problemOfName(name);
    if (problem) check.violation(field, problem);
    if (names.has(name)) check.violation(field, 'is a duplicate');
    if (!content) check.violation(`files[${index}]`, 'needs text, data or blob');
    names.add(name);
    if (content?.$case !== 'blob') bytes += Buffer.byteLength(content?.value ?? '');
  }
  for (const [index, { name }] of all.entries())
    if (parentsOf(name).some((parent) => names.has(parent)))
      check.violation(`files[${index}].name`, 'has another file as its directory');
  const isTooLarge = bytes > maxBytes;
  if (isTooLarge) check.violation(source ? 'source' : 'files', `are larger than ${maxBytes / MiB} MiB`);
  const usual = language && names.has(language.sourceFile) ? language.sourceFile : all[0]?.name;
  if (wanted && !names.has(wanted)) check.violation('entrypoint', 'is not among the files');
  const program = { files: all, entrypoint: wanted || usual || '' };
  if (!language || isTooLarge) return program;
  const found = findMainClass(language, program, wanted, (words) => check.violation('entrypoint', words));
  return { ...found, files: adapt(language, found) };
}

/** The directories that a relative path goes through. */
function parentsOf(name: string): string[] {
  if (Buffer.byteLength(name) > MAX_FILE_NAME_BYTES) return [];
  const parents: string[] = [];
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) parents.push(name.slice(0, at));
  return parents;
}

function problemOfName(name: string): string | undefined {
  if (!name) return 'is required';
  if (Buffer.byteLength(name) > MAX_FILE_NAME_BYTES) return `is longer than ${MAX_FILE_NAME_BYTES} bytes`;
  if (name.includes('\0')) return 'contains a NUL character';
  if (name.startsWith('/')) return 'must be relative';
  if (name.startsWith('-')) return "must not begin with '-'";
  if (name.split('/').some((part) => part === '..' || part === '.' || part === ''))
    return "must not contain '..', '.' or '//'";
  return undefined;
}

/** Sources as the language's interpreter can read them. */
function adapt({ prefix, onlyLineFeeds, extensions }: Language, { files, entrypoint }: EntryPoint): SourceFile[] {
  if (!prefix && !onlyLineFeeds) return files;
  return files.map(({ name, content }): SourceFile => {
    if (!content || content.$case === 'blob' || !extensions.includes(extname(name))) return { name, content };
    const text = Buffer.from(content.value).toString('latin1');
    const lines = onlyLineFeeds ? text.replaceAll('\r\n', '\n') : text;
    const value = Buffer.from(name === entrypoint && prefix ? prefix + lines : lines, 'latin1');
    return { name, content: { $case: 'data', value } };
  });
}
