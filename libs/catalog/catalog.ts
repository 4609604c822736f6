import { readFileSync } from 'node:fs';
import { anyOf, type Check, checked, integer, list, matches, number, object, text, yesOrNo } from './checks.ts';
import { RANGES } from './limits.ts';
import { PLACEHOLDERS } from './program.ts';
import type { Catalog, Language, Template } from './types.ts';

export type { Catalog, Language, SandboxLimits, Template, WarmRange } from './types.ts';

const NAME = matches(/^[a-z][a-z0-9-]{0,62}$/, 'a name of small letters, digits and hyphens');
const MAX_POOL = 1000;

const limits = object({
  memoryBytes: integer(RANGES.memoryBytes),
  processes: integer(RANGES.processes),
  diskBytes: integer(RANGES.diskBytes),
  cpus: number(RANGES.cpus),
});

const warmRange = { floor: integer({ min: 0, max: MAX_POOL }), ceiling: integer({ min: 0, max: MAX_POOL }) };
const pool = object(warmRange, { cells: object(warmRange) });

const templates = list(
  object({
    id: NAME,
    description: text,
    image: text,
    limits,
    writableRoot: yesOrNo,
    runtime: anyOf('a text or null', text, (value) => value === null),
    pool,
  }),
);

const word: Check = (value, at, problem) => {
  text(value, at, problem);
  if (/^\{\w*\}$/.test(String(value)) && !PLACEHOLDERS.includes(value as (typeof PLACEHOLDERS)[number]))
    problem(at, `${value} is none of ${PLACEHOLDERS.join(', ')}`);
};

const environment: Check = (value, at, problem) => {
  if (typeof value !== 'object' || value === null) return problem(at, 'must be an object');
  for (const [name, content] of Object.entries(value)) text(content, `${at}.${name}`, problem);
};

const signal = matches(/^SIG[A-Z]+$/, 'a signal such as SIGABRT');

const languages = list(
  object(
    {
      name: NAME,
      displayName: text,
      template: NAME,
      sourceFile: text,
      extensions: list(matches(/^\.\w+$/, 'an ending such as .py')),
      run: list(word),
    },
    {
      compile: list(word),
      check: list(word),
      prefix: text,
      onlyLineFeeds: yesOrNo,
      environment,
      mainClass: matches(/^(java|scala)$/, 'java or scala'),
      heapFull: signal,
      interrupt: signal,
      streamEnvironment: environment,
    },
  ),
);

/** Reads templates and languages from a JSON file. Throws an error that lists every problem of the file. */
export function readCatalog(file: string): Catalog {
  return parseCatalog(JSON.parse(readFileSync(file, 'utf8')), file);
}

/** The same from parsed JSON; `file` is for the message. */
export function parseCatalog(json: unknown, file = 'catalogue'): Catalog {
  const { value, problems } = checked<{ templates: Template[]; languages: Language[] }>(
    json,
    object({ templates, languages }),
  );
  // References are checked only between well-formed entries.
  if (problems.length === 0) problems.push(...contradictions(value.templates, value.languages));
  if (problems.length > 0) throw new Error(`bad catalogue ${file}\n  ${problems.join('\n  ')}`);
  freeze(value);
  return {
    templates: new Map(value.templates.map((template) => [template.id, template])),
    languages: new Map(value.languages.map((language) => [language.name, language])),
  };
}

function contradictions(templates: Template[], languages: Language[]): string[] {
  const ids = templates.map(({ id }) => id);
  return [
    ...repeated(ids).map((id) => `templates: ${id} is a duplicate`),
    ...repeated(languages.map(({ name }) => name)).map((name) => `languages: ${name} is a duplicate`),
    ...templates
      .filter(({ limits }) => limits.diskBytes > limits.memoryBytes / 2)
      .map(({ id }) => `template ${id}: limits.diskBytes is more than half of memoryBytes`),
    ...templates
      .filter(({ pool }) => pool.floor > pool.ceiling)
      .map(({ id }) => `template ${id}: pool.floor is above pool.ceiling`),
    ...templates
      .filter(({ pool: { cells } }) => cells && cells.floor > cells.ceiling)
      .map(({ id }) => `template ${id}: pool.cells.floor is above pool.cells.ceiling`),
    ...languages
      .filter(({ template }) => !ids.includes(template))
      .map(({ name, template }) => `language ${name}: unknown template ${template}`),
    ...languages
      .filter(({ sourceFile, extensions }) => !extensions.some((ending) => sourceFile.endsWith(ending)))
      .map(({ name, sourceFile }) => `language ${name}: ${sourceFile} has none of its extensions`),
  ];
}

function repeated(names: string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const inner of Object.values(value)) freeze(inner);
  Object.freeze(value);
}
