import { readFileSync } from 'node:fs';

/** What a sandbox may use, without the limits that only executions have. */
export type SandboxLimits = { memoryBytes: number; processes: number; diskBytes: number; cpus: number };

export type Template = {
  id: string;
  description: string;
  /** What the engine knows the image by. In the file of `deploy/images` it is an image's name there, which the start script resolves. */
  image: string;
  /** What a sandbox gets that asks for nothing. */
  limits: SandboxLimits;
  writableRoot: boolean;
  /** Runtime class of the engine, such as `runsc`; null is the engine's default. */
  runtime: string | null;
  /** Warm sandboxes that an executor keeps: at least, and under demand at most. */
  pool: { floor: number; ceiling: number };
};

/** Commands are argument arrays; `planProgram` fills in their placeholders. */
export type Language = {
  name: string;
  displayName: string;
  template: string;
  sourceFile: string;
  extensions: string[];
  compile?: string[];
  run: string[];
  environment?: Record<string, string>;
};

export type Catalog = {
  templates: ReadonlyMap<string, Template>;
  languages: ReadonlyMap<string, Language>;
};

/** Reads templates and languages from a JSON file; throws with every problem that it has. */
export function readCatalog(file: string): Catalog {
  const { templates, languages } = JSON.parse(readFileSync(file, 'utf8')) as {
    templates: Template[];
    languages: Language[];
  };
  const catalog: Catalog = {
    templates: new Map(templates.map((template) => [template.id, template])),
    languages: new Map(languages.map((language) => [language.name, language])),
  };
  const problems = [...templates.flatMap(problemsOfTemplate), ...languages.flatMap((l) => problemsOfLanguage(l, catalog))];
  if (problems.length > 0) throw new Error(`bad catalogue ${file}\n  ${problems.join('\n  ')}`);
  return catalog;
}

function problemsOfTemplate({ id, image, limits, pool }: Template): string[] {
  return [
    ...(image ? [] : [`template ${id}: image is required`]),
    ...(limits.diskBytes <= limits.memoryBytes / 2 ? [] : [`template ${id}: diskBytes is more than half of memoryBytes`]),
    ...(pool.floor <= pool.ceiling ? [] : [`template ${id}: pool.floor is above pool.ceiling`]),
  ];
}

function problemsOfLanguage({ name, template, sourceFile, run }: Language, { templates }: Catalog): string[] {
  return [
    ...(templates.has(template) ? [] : [`language ${name}: no template is called ${template}`]),
    ...(sourceFile ? [] : [`language ${name}: sourceFile is required`]),
    ...(run?.length ? [] : [`language ${name}: run is required`]),
  ];
}
