import type { Catalog } from '#libs/catalog/catalog.ts';
import type { ArchiveFile } from './archive.ts';
import type { Findings } from './findings.ts';
import { readLimits } from './limits.ts';
import { isOfValidator, readValidator } from './output-validator.ts';
import { checkCases, type Package } from './package.ts';
import { readScoring } from './scoring.ts';
import { type Flags, readTestData } from './test-data.ts';
import { readFlags, USUAL, wordsOfFlags } from './validator-flags.ts';
import { isMapping, type Mapping, readText, readYaml } from './yaml-file.ts';

const FILE = 'problem.yaml';
const LEGACY: readonly unknown[] = [undefined, 'legacy', 'legacy-icpc'];
const VERSIONS: readonly unknown[] = [...LEGACY, '2023-07', '2023-07-draft'];
const LEGACY_TYPES = ['pass-fail', 'scoring'];
const TYPES = ['pass-fail', 'scoring', 'interactive'];
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
  scoring: 'points are those of the groups',
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
export async function readProblem(
  files: ReadonlyMap<string, ArchiveFile>,
  catalog: Catalog,
  findings: Findings,
): Promise<Package> {
  const yaml = await readYaml(files.get(FILE)!, findings);
  const isLegacy = LEGACY.includes(yaml.problem_format_version);
  checkKeys(yaml, isLegacy, findings);
  const kind = kindOf(files, yaml, isLegacy, findings);
  checkDirectories(files, kind, findings);
  const { cases, scoring, ...data } = await readTestData(files, kind.isScored, findings);
  checkCases(cases, findings, 'data/');
  const { validator_flags: value } = yaml;
  const flags = isLegacy && value ? { file: FILE, key: 'validator_flags', value } : data.flags;
  return {
    name: nameOf(yaml),
    cases,
    ...(kind.isScored && readScoring(cases, scoring, isLegacy, findings)),
    ...(await judgedBy(files, kind, flags, catalog, findings)),
    ...readLimits(yaml, await readTimeLimit(files, findings), findings),
  };
}

/** How the programs of a package are judged. */
type Kind = { isCustom: boolean; isInteractive: boolean; isScored: boolean };

/** Legacy: `type` and `validation` say it; 2023-07: `type`, and whether there is an output validator. */
function kindOf(
  files: ReadonlyMap<string, ArchiveFile>,
  { type, validation }: Mapping,
  isLegacy: boolean,
  findings: Findings,
): Kind {
  const types = (Array.isArray(type) ? type : [type ?? 'pass-fail']).map(String);
  const known = isLegacy ? LEGACY_TYPES : TYPES;
  for (const each of types)
    if (!known.includes(each)) findings.unsupported(FILE, 'type', `${each} is not offered; ${known.join(', ')} are`);
  const isScored = types.includes('scoring');
  if (!isLegacy) {
    if (validation !== undefined) findings.unsupported(FILE, 'validation', 'is of the legacy format; use type');
    const isInteractive = types.includes('interactive');
    const isCustom = isInteractive || [...files.keys()].some(isOfValidator);
    if (isScored && isCustom)
      findings.unsupported(
        FILE,
        'type',
        'scoring is not offered with an output validator: its multipliers are not read',
      );
    return { isCustom, isInteractive, isScored };
  }
  const [first = 'default', ...words] = String(validation ?? 'default').split(/\s+/);
  const isWrong = first === 'default' ? words.length > 0 : first !== 'custom';
  if (isWrong || words.some((word) => word !== 'interactive' && word !== 'score'))
    findings.unsupported(
      FILE,
      'validation',
      `${validation} is not offered; default and custom [interactive] [score] are`,
    );
  return { isCustom: first === 'custom', isInteractive: words.includes('interactive'), isScored };
}

async function judgedBy(
  files: ReadonlyMap<string, ArchiveFile>,
  { isCustom, isInteractive }: Kind,
  flags: Flags | undefined,
  catalog: Catalog,
  findings: Findings,
): Promise<Pick<Package, 'comparison' | 'floatTolerance' | 'caseInsensitive' | 'checker' | 'interactor'>> {
  if (!isCustom) return flags ? readFlags(flags.value, flags.file, flags.key, findings) : USUAL;
  const validator = await readValidator(files, wordsOfFlags(flags?.value), catalog, findings);
  const judges = validator && (isInteractive ? { interactor: validator } : { checker: validator });
  return { comparison: 'COMPARISON_UNSPECIFIED', caseInsensitive: false, ...judges };
}

function checkKeys(yaml: Mapping, isLegacy: boolean, findings: Findings): void {
  const {
    problem_format_version: version,
    name: _name,
    limits: _limits,
    type: _type,
    validation: _validation,
    validator_flags,
    ...rest
  } = yaml;
  if (!VERSIONS.includes(version))
    findings.unsupported(FILE, 'problem_format_version', `${version} is not legacy or 2023-07`);
  if (validator_flags !== undefined && !isLegacy)
    findings.unsupported(FILE, 'validator_flags', 'is of the legacy format; use output_validator_args of groups');
  for (const key of Object.keys(rest))
    findings.note(FILE, key, WITHOUT_MEANING[key] ?? (INFORMATION.has(key) ? NOT_READ : 'is unknown'));
}

function checkDirectories(files: ReadonlyMap<string, ArchiveFile>, { isCustom }: Kind, findings: Findings): void {
  for (const path of files.keys()) {
    const [first = '', ...rest] = path.split('/');
    if (first === 'data' || path === FILE) continue;
    if (rest.length === 0) {
      if (!TIME_LIMIT_FILES.includes(path)) findings.note(path, '', NOT_READ);
    } else if (isOfValidator(path)) {
      if (!isCustom) findings.note(`${first}/`, '', 'is not used: validation is default');
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
