import { dirname } from 'node:path';
import { TestGroup } from '#proto/drydock/v1/execution.ts';
import type { Findings } from './findings.ts';
import type { PackageCase } from './package.ts';

/** Keys of `testdata.yaml` (legacy) and of `test_group.yaml` that say how test cases are scored. */
export const SCORING_KEYS = new Set([
  'on_reject',
  'grading',
  'grader_flags',
  'accept_score',
  'reject_score',
  'range',
  'max_score',
  'score_aggregation',
  'require_pass',
]);
const [DATA, SAMPLE, SECRET] = ['data', 'data/sample', 'data/secret'];
const MAX_NAME = 64;
const MAX_POINTS = 1e9;
const USUAL_FLAGS = new Set(['worst_error', 'first_error', 'ignore_sample', 'sum']);

/** What a file says of the cases at its place. */
export type GroupFile = { file: string; values: Record<string, unknown> };
type Scored = { cases: PackageCase[]; groups: TestGroup[] };
/** The file and the value of the nearest place around that has a key. */
type Found = { file: string; value: unknown };

/** The groups and points of a package that is scored. */
export function readScoring(
  cases: readonly PackageCase[],
  files: ReadonlyMap<string, GroupFile>,
  isLegacy: boolean,
  findings: Findings,
): Scored {
  const places = Map.groupBy(cases, ({ input }) => dirname(input.path));
  const groups: TestGroup[] = [];
  const points = new Map<string, number | undefined>();
  const isIgnored = isLegacy && wordsOf(nearest(files, DATA, 'grader_flags')).includes('ignore_sample');
  for (const place of places.keys()) {
    const name = place.slice('data/'.length);
    if (place.split('/').length > 3 || name.length > MAX_NAME)
      findings.unsupported(`${place}/`, '', 'is a group in another one, or has a name of more than 64 characters');
    if (place === SAMPLE && isIgnored) continue;
    const own = isLegacy ? readLegacy(files, place, findings) : readGroup(files, place, findings);
    points.set(place, own.each);
    groups.push(TestGroup.create({ name, ...own.group }));
  }
  if (isLegacy) stopAfterGroups(groups, files, findings);
  return {
    groups,
    cases: cases.map((each) => {
      const place = dirname(each.input.path);
      if (!points.has(place)) return { ...each, points: 0 };
      const own = points.get(place);
      return { ...each, group: place.slice('data/'.length), ...(own !== undefined && { points: own }) };
    }),
  };
}

/** Legacy: each case earns `accept_score`, and groups are the sum or the least of their cases. */
function readLegacy(files: ReadonlyMap<string, GroupFile>, place: string, findings: Findings) {
  const flags = nearest(files, place, 'grader_flags');
  const words = wordsOf(flags);
  for (const word of words)
    if (word !== 'min' && !USUAL_FLAGS.has(word))
      findings.unsupported(flags!.file, 'grader_flags', `${word} is not offered; min and sum are`);
  const grading = nearest(files, place, 'grading');
  if (grading && grading.value !== 'default')
    findings.unsupported(grading.file, 'grading', `${grading.value} is not offered; default is`);
  const rejected = nearest(files, place, 'reject_score');
  if (rejected && Number(rejected.value) !== 0) findings.unsupported(rejected.file, 'reject_score', 'must be 0');
  const range = files.get(place)?.values.range;
  if (range !== undefined) findings.note(files.get(place)!.file, 'range', 'follows from accept_score');
  return {
    each: pointsOf(nearest(files, place, 'accept_score'), 'accept_score', 1, findings),
    group: {
      aggregation: words.includes('min') ? ('MIN' as const) : ('SUM' as const),
      onFailure: isBroken(files, place, findings) ? ('STOP' as const) : ('CONTINUE' as const),
    },
  };
}

/** Legacy: whether a failure ends what is at a place, which is so unless a file says otherwise. */
function isBroken(files: ReadonlyMap<string, GroupFile>, place: string, findings: Findings): boolean {
  const found = nearest(files, place, 'on_reject');
  if (found && found.value !== 'break' && found.value !== 'continue')
    findings.unsupported(found.file, 'on_reject', `${found.value} is not offered; break and continue are`);
  return found?.value !== 'continue';
}

/** Legacy: what holds for groups together. A failed one ends those after it. */
function stopAfterGroups(groups: TestGroup[], files: ReadonlyMap<string, GroupFile>, findings: Findings): void {
  const secret = groups.filter(({ name }) => name.startsWith('secret/'));
  if (secret.length === 0) return;
  const flags = nearest(files, SECRET, 'grader_flags');
  if (wordsOf(flags).includes('min')) findings.unsupported(flags!.file, 'grader_flags', 'groups are summed here');
  if (!isBroken(files, SECRET, findings)) return;
  for (const [index, group] of secret.entries()) group.dependsOn = secret.slice(0, index).map(({ name }) => name);
}

/** 2023-07: a group has `max_score`, for all of its cases, for the least or for the sum of them. */
function readGroup(files: ReadonlyMap<string, GroupFile>, place: string, findings: Findings) {
  const own = files.get(place);
  const at = (key: string): Found | undefined =>
    own && own.values[key] !== undefined ? { file: own.file, value: own.values[key] } : undefined;
  const file = own?.file ?? `${place}/test_group.yaml`;
  if (place !== SAMPLE && !at('max_score')) findings.unsupported(file, 'max_score', 'must be said for each group');
  const points = pointsOf(at('max_score'), 'max_score', 0, findings);
  const aggregation = at('score_aggregation')?.value ?? 'pass';
  if (aggregation !== 'pass' && aggregation !== 'sum' && aggregation !== 'min')
    findings.invalid(file, 'score_aggregation', 'must be pass, sum or min');
  const aggregations = { pass: 'ALL_OR_NOTHING', sum: 'SUM', min: 'MIN' } as const;
  return {
    each: undefined,
    group: {
      points,
      aggregation: aggregations[aggregation as keyof typeof aggregations],
      dependsOn: [at('require_pass')?.value ?? []].flat().map(String),
    },
  };
}

function nearest(files: ReadonlyMap<string, GroupFile>, place: string, key: string): Found | undefined {
  for (let at = place; at !== '.'; at = dirname(at)) {
    const found = files.get(at);
    if (found?.values[key] !== undefined) return { file: found.file, value: found.values[key] };
  }
  return undefined;
}

function wordsOf(found: Found | undefined): string[] {
  return String(found?.value ?? '')
    .split(/\s+/)
    .filter(Boolean);
}

function pointsOf(found: Found | undefined, key: string, usual: number, findings: Findings): number {
  if (!found) return usual;
  const points = Number(found.value);
  if (points >= 0 && points <= MAX_POINTS) return points;
  findings.unsupported(found.file, key, `must be a number from 0 to ${MAX_POINTS}`);
  return 0;
}
