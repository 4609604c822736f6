import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import { CaseResult, type GroupResult, type TestGroup } from '#proto/drydock/v1/execution.ts';

type Rules = Pick<ExecutionSpec, 'cases' | 'groups' | 'stopAtFirstFailure'>;

/** The order in which cases are run, which of them are skipped, and what has come of them. */
export type Course = {
  /** Indices of the cases: as in the request; where a group depends on others, group by group, each after those. */
  readonly order: readonly number[];
  /** Why a case is skipped, by what came of those before it; undefined if it is to be run. */
  skips(index: number): string | undefined;
  add(index: number, result: CaseResult): void;
  /** One for each case, in the order of the request; those that were not run are skipped, for this reason unless another is known. */
  results(reason?: string): CaseResult[];
};

export function createCourse({ cases, groups, stopAtFirstFailure }: Rules): Course {
  const found: CaseResult[] = [];
  const byName = new Map(groups.map((group) => [group.name, group]));
  const indices = Map.groupBy(cases.keys(), (index) => cases[index]!.group);
  // Groups that others depend on come first: what is not known of them was skipped.
  const isAccepted = (name: string) => indices.get(name)?.every((index) => found[index]?.verdict === 'ACCEPTED');
  const skips = (index: number): string | undefined => {
    if (stopAtFirstFailure && found.some(({ verdict }) => verdict !== 'ACCEPTED'))
      return 'an earlier case was not accepted';
    const group = byName.get(cases[index]!.group);
    const failed = group?.dependsOn.find((name) => !isAccepted(name));
    if (failed !== undefined) return `its group depends on '${failed}', of which a case was not accepted`;
    if (group?.onFailure === 'STOP' && indices.get(group.name)!.some((each) => scoredNothing(found[each])))
      return 'an earlier case of its group scored nothing';
    return undefined;
  };
  return {
    order: orderOf(cases, byName, indices),
    skips,
    add(index, result) {
      found[index] = result;
    },
    results: (reason = '') =>
      cases.map(
        ({ name }, index) =>
          found[index] ?? CaseResult.create({ name, skipped: true, message: skips(index) ?? reason }),
      ),
  };
}

function scoredNothing(result: CaseResult | undefined): boolean {
  return result !== undefined && result.verdict !== 'ACCEPTED' && !result.score;
}

/** Session refuses circles; in one, a group would come after those that were found first. */
function orderOf(
  cases: ExecutionSpec['cases'],
  byName: Map<string, TestGroup>,
  indices: Map<string, number[]>,
): number[] {
  const order: number[] = [];
  const entered = new Set<string>();
  const enter = (name: string): void => {
    if (entered.has(name)) return;
    entered.add(name);
    for (const earlier of byName.get(name)?.dependsOn ?? []) enter(earlier);
    order.push(...(indices.get(name) ?? []));
  };
  const isOrdered = cases.every(({ group }) => !byName.get(group)?.dependsOn.length);
  if (isOrdered) return [...cases.keys()];
  for (const { group } of cases) enter(group);
  return order;
}

/** The score of a case: a checker's, within the points of the case, else all of them if it was accepted. */
export function scoreOf(points: number, verdict: CaseResult['verdict'], score: number | undefined): number {
  if (score !== undefined) return Math.min(Math.max(0, score), points);
  return verdict === 'ACCEPTED' ? points : 0;
}

export type Score = { score?: number; maxScore?: number; groups: GroupResult[] };

/** The scores of groups and of the whole, from results in the order of the cases. */
export function scoreAll({ cases, groups, isScored }: ExecutionSpec, results: CaseResult[]): Score {
  if (!isScored) return { groups: [] };
  const scored = groups.map((group) =>
    scoreGroup(
      group,
      results.filter((_, index) => cases[index]!.group === group.name),
    ),
  );
  const alone = cases.flatMap(({ group, points }, index) =>
    group ? [] : { maxScore: points, score: results[index]!.score ?? 0 },
  );
  const all = [...scored, ...alone];
  return {
    score: sum(all.map(({ score }) => score)),
    maxScore: sum(all.map(({ maxScore }) => maxScore)),
    groups: scored,
  };
}

function scoreGroup({ name, points = 0, aggregation }: TestGroup, results: CaseResult[]): GroupResult {
  const verdict = results.find((result) => !result.skipped && result.verdict !== 'ACCEPTED')?.verdict;
  const isAccepted = results.every((result) => result.verdict === 'ACCEPTED');
  const scores = results.map(({ score = 0 }) => score);
  const whole =
    aggregation === 'SUM' ? sum(scores) : aggregation === 'MIN' ? Math.min(...scores) : isAccepted ? points : 0;
  return {
    name,
    verdict: verdict ?? (isAccepted ? 'ACCEPTED' : 'VERDICT_UNSPECIFIED'),
    score: Math.min(whole, points),
    maxScore: points,
  };
}

/** To 12 digits: parts of a group's points are to add up to them. */
function sum(numbers: number[]): number {
  return Number(numbers.reduce((total, each) => total + each, 0).toPrecision(12));
}
