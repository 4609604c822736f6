import { basename, dirname } from 'node:path';
import type { ArchiveFile } from './archive.ts';
import type { Findings } from './findings.ts';
import { byPath, type PackageCase } from './package.ts';
import { type GroupFile, SCORING_KEYS } from './scoring.ts';
import { readYaml } from './yaml-file.ts';

const GROUP_FILES = new Set(['testdata.yaml', 'test_group.yaml']);
/** Beside a test case; they change no verdict. */
const ILLUSTRATIONS = /\.(hint|desc|png|jpg|jpeg|svg|statement|out)$/;
const NOT_RUN = new Set([
  'invalid_input',
  'invalid_output',
  'invalid_inputs',
  'invalid_outputs',
  'valid_output',
  'bad',
]);
const FLAGS = new Set(['output_validator_flags', 'output_validator_args']);
const WITHOUT_MEANING: Record<string, string> = {
  on_reject: 'the first case that fails decides',
  grading: 'the first case that fails decides',
  grader_flags: 'the first case that fails decides',
  accept_score: 'there are no points',
  reject_score: 'there are no points',
  range: 'there are no points',
  max_score: 'there are no points',
  score_aggregation: 'there are no points',
  require_pass: 'the first case that fails decides',
  scoring: 'there are no points',
  run_samples: 'samples are run',
  input_validator_flags: 'inputs are not validated',
  input_validator_args: 'inputs are not validated',
  hint: 'is not shown',
  description: 'is not shown',
  full_feedback: 'is not shown',
};

/** How outputs are compared, and which file and key say so. */
export type Flags = { file: string; key: string; value: unknown };

/** The cases, the flags of the output validator that all have, and what files say of scores by place. */
export type TestData = { cases: PackageCase[]; flags: Flags | undefined; scoring: ReadonlyMap<string, GroupFile> };

type Groups = { flags: Map<string, Flags>; scoring: Map<string, GroupFile>; isScored: boolean };

/** The cases of `data/sample` and `data/secret`, in order, with the flags of their groups. */
export async function readTestData(
  files: ReadonlyMap<string, ArchiveFile>,
  isScored: boolean,
  findings: Findings,
): Promise<TestData> {
  const data = [...files.values()].filter(({ path }) => path.startsWith('data/')).sort(byPath);
  const groups: Groups = { flags: new Map(), scoring: new Map(), isScored };
  const cases: PackageCase[] = [];
  for (const file of data) {
    const { path } = file;
    const [, part = ''] = path.split('/');
    if (NOT_RUN.has(part)) findings.note(`data/${part}/`, '', 'is for tests of the package');
    else if (GROUP_FILES.has(basename(path))) await readGroup(file, dirname(path), groups, findings);
    else if (part !== 'sample' && part !== 'secret') findings.unsupported(path, '', 'is unknown');
    else if (path.endsWith('.in')) addCase(file, files, cases, findings);
    else if (path.endsWith('.yaml') && files.has(path.replace(/\.yaml$/, '.in')))
      await readGroup(file, path.replace(/\.yaml$/, ''), groups, findings);
    else checkBeside(path, files, findings);
  }
  const samplesFirst = (name: string) => (name.startsWith('sample/') ? 0 : 1);
  cases.sort((a, b) => samplesFirst(a.name) - samplesFirst(b.name) || byPath(a.input, b.input));
  return { cases, flags: flagsOf(cases, groups.flags, findings), scoring: groups.scoring };
}

function addCase(
  input: ArchiveFile,
  files: ReadonlyMap<string, ArchiveFile>,
  cases: PackageCase[],
  findings: Findings,
): void {
  const stem = input.path.slice(0, -'.in'.length);
  const answer = files.get(`${stem}.ans`);
  if (answer) cases.push({ name: stem.slice('data/'.length), input, answer });
  else findings.invalid(input.path, '', 'has no .ans beside it');
}

function checkBeside(path: string, files: ReadonlyMap<string, ArchiveFile>, findings: Findings): void {
  if (path.endsWith('.ans')) {
    if (!files.has(path.replace(/\.ans$/, '.in'))) findings.invalid(path, '', 'has no .in beside it');
  } else if (ILLUSTRATIONS.test(path)) findings.note(path, '', 'is not shown');
  else findings.unsupported(path, '', 'is no part of a test case that can be run here');
}

async function readGroup(file: ArchiveFile, place: string, groups: Groups, findings: Findings) {
  for (const [key, value] of Object.entries(await readYaml(file, findings))) {
    if (FLAGS.has(key)) groups.flags.set(place, { file: file.path, key, value });
    else if (groups.isScored && SCORING_KEYS.has(key)) {
      const { values } = groups.scoring.get(place) ?? { values: {} };
      groups.scoring.set(place, { file: file.path, values: { ...values, [key]: value } });
    } else if (Object.hasOwn(WITHOUT_MEANING, key)) findings.note(file.path, key, WITHOUT_MEANING[key]!);
    else findings.unsupported(file.path, key, 'is unknown, or not offered here');
  }
}

/** The flags that all cases have: those of the nearest group around each. */
function flagsOf(cases: PackageCase[], groups: ReadonlyMap<string, Flags>, findings: Findings): Flags | undefined {
  const found = new Map<string, Flags | undefined>();
  for (const { input } of cases) {
    let place = input.path.slice(0, -'.in'.length);
    while (!groups.has(place) && place !== '.') place = dirname(place);
    const flags = groups.get(place);
    found.set(JSON.stringify(flags?.value ?? ''), flags);
  }
  const [first, other] = [...found.values()];
  const different = other ?? (found.size > 1 ? first : undefined);
  if (found.size > 1 && different)
    findings.unsupported(different.file, different.key, 'differs from that of other test cases');
  return first;
}
