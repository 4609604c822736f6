import type { ArchiveFile } from './archive.ts';
import type { Findings } from './findings.ts';
import { readLimits } from './limits.ts';
import { checkCases, type Package } from './package.ts';
import { readTestData } from './test-data.ts';
import { readFlags } from './validator-flags.ts';
import { isMapping, type Mapping, readText, readYaml } from './yaml-file.ts';

const FILE = 'problem.yaml';
const LEGACY: readonly unknown[] = [undefined, 'legacy', 'legacy-icpc'];
const VERSIONS: readonly unknown[] = [...LEGACY, '2023-07', '2023-07-draft'];
const NOT_READ = 'is not read';
/** Keys that change no verdict. */
const INFORMATION = new Set(
  'uuid version author authors credits source source_url license rights_owner rights_holder keywords embargo_until libraries'.split(
    ' ',
  ),
);
const WITHOUT_MEANING: Record<string, string> = {
  languages: 'a test set judges every language',
  allow_file_writing: 'programs may write files into their own directory',
  constants: 'are for statements',
  grading: 'the first case that fails decides',
  scoring: 'there are no points',
};
/** Directories that change no verdict. */
const DIRECTORIES = new Set(
  'problem_statement statement submissions input_validators input_validator input_format_validators input_visualizer output_visualizer attachments solution solutions generators'.split(
    ' ',
  ),
);
const UNSUPPORTED: Record<string, string> = {
  include: 'files cannot be added to submissions',
  graders: 'there are no graders',
  static_validator: 'sources are not validated',
};

/** A problem package of Kattis or ICPC: legacy, or 2023-07. */
export async function readProblem(files: ReadonlyMap<string, ArchiveFile>, findings: Findings): Promise<Package> {
  const yaml = await readYaml(files.get(FILE)!, findings);
  const isLegacy = LEGACY.includes(yaml.problem_format_version);
  checkKeys(yaml, isLegacy, findings);
  checkDirectories(files, yaml, isLegacy, findings);
  const { cases, ...compared } = await readTestData(files, findings);
  checkCases(cases, findings, 'data/');
  const { validator_flags: flags } = yaml;
  const comparison = isLegacy && flags ? readFlags(flags, FILE, 'validator_flags', findings) : compared;
  return {
    name: nameOf(yaml),
    cases,
    ...comparison,
    ...readLimits(yaml, await readTimeLimit(files, findings), findings),
  };
}

function checkKeys(yaml: Mapping, isLegacy: boolean, findings: Findings): void {
  const {
    problem_format_version: version,
    name: _name,
    limits: _limits,
    type,
    validation,
    validator_flags,
    ...rest
  } = yaml;
  if (!VERSIONS.includes(version))
    findings.unsupported(FILE, 'problem_format_version', `${version} is not legacy or 2023-07`);
  for (const each of Array.isArray(type) ? type : [type ?? 'pass-fail'])
    if (each !== 'pass-fail') findings.unsupported(FILE, 'type', `${each} is not offered; pass-fail is`);
  if (validation !== undefined && validation !== 'default')
    findings.unsupported(FILE, 'validation', `${validation} is not offered; default is`);
  if (validator_flags !== undefined && !isLegacy)
    findings.unsupported(FILE, 'validator_flags', 'is of the legacy format; use output_validator_args of groups');
  for (const key of Object.keys(rest))
    findings.note(FILE, key, WITHOUT_MEANING[key] ?? (INFORMATION.has(key) ? NOT_READ : 'is unknown'));
}

function checkDirectories(
  files: ReadonlyMap<string, ArchiveFile>,
  yaml: Mapping,
  isLegacy: boolean,
  findings: Findings,
): void {
  for (const path of files.keys()) {
    const [first = '', ...rest] = path.split('/');
    if (first === 'data' || path === FILE) continue;
    if (rest.length === 0) {
      if (!TIME_LIMIT_FILES.includes(path)) findings.note(path, '', NOT_READ);
    } else if (first === 'output_validators' || first === 'output_validator') {
      const isUsed = !isLegacy || String(yaml.validation ?? '').startsWith('custom');
      if (isUsed) findings.unsupported(`${first}/`, '', 'output validators of a package are not offered');
      else findings.note(`${first}/`, '', 'is not used: validation is default');
    } else if (Object.hasOwn(UNSUPPORTED, first)) findings.unsupported(`${first}/`, '', UNSUPPORTED[first]!);
    else findings.note(`${first}/`, '', DIRECTORIES.has(first) ? NOT_READ : 'is unknown');
  }
}

const TIME_LIMIT_FILES = ['.timelimit', 'domjudge-problem.ini'];

/** The time limit in seconds that a judge wrote beside `problem.yaml`. */
async function readTimeLimit(files: ReadonlyMap<string, ArchiveFile>, findings: Findings): Promise<number | undefined> {
  for (const name of TIME_LIMIT_FILES) {
    const file = files.get(name);
    if (!file) continue;
    const text = await readText(file, findings);
    const [, value] = /^\s*(?:timelimit\s*=)?\s*['"]?(\d+(?:\.\d+)?)['"]?\s*$/m.exec(text) ?? [];
    const seconds = Number(value);
    if (seconds > 0) return seconds;
    findings.invalid(name, name.endsWith('.ini') ? 'timelimit' : '', 'must be a number of seconds above 0');
  }
  return undefined;
}

/** In English, if it is in several languages. */
function nameOf({ name }: Mapping): string {
  const named = isMapping(name) ? (name.en ?? Object.values(name)[0]) : name;
  return typeof named === 'string' ? named : '';
}
