import type { FieldChecks } from '#libs/field-checks.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { TestCase, TestGroup } from '#proto/drydock/v1/execution.ts';

const MAX_GROUPS = 100;
const MAX_GROUP_NAME = 64;
const MAX_POINTS = 1e9;

export type Scoring = {
  /** Groups with every field set. */
  groups: TestGroup[];
  /** The most that each case earns. */
  points: number[];
  isScored: boolean;
};

/**
 * Checks groups and points, and completes them. At most 100 groups; more, and those of no use, are violations. `field` is that of the
 * cases.
 */
export function checkScoring(
  check: FieldChecks,
  field: 'testCases' | 'cases',
  testCases: readonly TestCase[],
  groups: TestGroup[],
): Scoring {
  const none = { groups: [], points: testCases.map(() => 0), isScored: false };
  if (groups.length > MAX_GROUPS) check.violation('groups', `are more than ${MAX_GROUPS}`);
  if (groups.length > MAX_GROUPS) return none;
  const byName = new Map<string, TestGroup>();
  for (const [index, group] of groups.entries()) {
    const own = `groups[${index}]`;
    check.string(`${own}.name`, group.name, { required: true, maxLength: MAX_GROUP_NAME });
    if (byName.has(group.name)) check.violation(`${own}.name`, 'is a duplicate');
    byName.set(group.name, group);
    checkPoints(check, `${own}.points`, group.points);
    checkDependencies(check, `${own}.dependsOn`, group, groups);
  }
  checkCircles(check, groups, byName);
  const casesOf = Map.groupBy(testCases, ({ group }) => group);
  for (const [index, { name }] of groups.entries())
    if (name && !casesOf.has(name)) check.violation(`groups[${index}].name`, 'is that of no test case');
  for (const [index, { group, points }] of testCases.entries()) {
    checkPoints(check, `${field}[${index}].points`, points);
    if (group && !byName.has(group))
      check.violation(
        `${field}[${index}].group`,
        `'${firstCharacters(group, MAX_GROUP_NAME)}' is not among the groups`,
      );
  }
  const points = testCases.map((each) => pointsOf(each, byName.get(each.group), casesOf.get(each.group)!.length));
  return {
    groups: groups.map((group) =>
      complete(
        group,
        points.filter((_, index) => testCases[index]!.group === group.name),
      ),
    ),
    points,
    isScored: groups.length > 0 || testCases.some((each) => each.points !== undefined),
  };
}

function checkPoints(check: FieldChecks, field: string, points: number | undefined): void {
  if (points !== undefined && !(points >= 0 && points <= MAX_POINTS))
    check.violation(field, `must be from 0 to ${MAX_POINTS}`);
}

function checkDependencies(check: FieldChecks, field: string, { dependsOn }: TestGroup, groups: TestGroup[]): void {
  if (dependsOn.length > MAX_GROUPS) check.violation(field, `are more than ${MAX_GROUPS}`);
  for (const [index, name] of dependsOn.slice(0, MAX_GROUPS).entries()) {
    if (dependsOn.indexOf(name) < index) check.violation(`${field}[${index}]`, 'is a duplicate');
    else if (!groups.some((group) => group.name === name))
      check.violation(`${field}[${index}]`, `'${firstCharacters(name, MAX_GROUP_NAME)}' is not among the groups`);
  }
}

/** Follows the dependencies from group to group; every group is entered once. */
function checkCircles(check: FieldChecks, groups: TestGroup[], byName: Map<string, TestGroup>): void {
  const done = new Set<TestGroup>();
  const under = new Set<TestGroup>();
  const isInCircle = (group: TestGroup): boolean => {
    if (done.has(group)) return false;
    if (under.has(group)) return true;
    under.add(group);
    const found = group.dependsOn
      .slice(0, MAX_GROUPS)
      .some((name) => byName.has(name) && isInCircle(byName.get(name)!));
    under.delete(group);
    done.add(group);
    return found;
  };
  for (const [index, group] of groups.entries())
    if (isInCircle(group)) {
      check.violation(`groups[${index}].dependsOn`, 'leads back to the group itself');
      return;
    }
}

function pointsOf({ points }: TestCase, group: TestGroup | undefined, cases: number): number {
  if (points !== undefined || group?.points === undefined) return points ?? 0;
  return group.aggregation === 'SUM' ? group.points / cases : group.points;
}

function complete(group: TestGroup, points: number[]): TestGroup {
  const aggregation = group.aggregation === 'AGGREGATION_UNSPECIFIED' ? 'ALL_OR_NOTHING' : group.aggregation;
  const most = aggregation === 'MIN' ? Math.min(...points) : points.reduce((sum, each) => sum + each, 0);
  return {
    ...group,
    points: group.points ?? most,
    aggregation,
    onFailure: group.onFailure === 'ON_FAILURE_UNSPECIFIED' ? 'CONTINUE' : group.onFailure,
  };
}
