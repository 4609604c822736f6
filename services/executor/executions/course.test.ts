import { describe, expect, test } from 'vitest';
import { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import { CaseResult, type TestGroup, type Verdict } from '#proto/drydock/v1/execution.ts';
import { createCourse, scoreAll, scoreOf } from './course.ts';

type Given = [group: string, verdict: Verdict, score?: number];

/** Runs a course to its end; what is run has the verdict and the score that are given. */
function run(given: Given[], groups: Partial<TestGroup>[], stopAtFirstFailure = false) {
  const spec = ExecutionSpec.fromPartial({
    cases: given.map(([group, , points = 0], index) => ({ name: `${index}`, group, points })),
    groups,
    stopAtFirstFailure,
    isScored: true,
  });
  const course = createCourse(spec);
  const run: number[] = [];
  for (const index of course.order) {
    if (course.skips(index)) continue;
    run.push(index);
    const [, verdict, score = 0] = given[index]!;
    course.add(index, CaseResult.create({ verdict, score: verdict === 'ACCEPTED' || score < 0 ? Math.abs(score) : 0 }));
  }
  return { run, results: course.results(), ...scoreAll(spec, course.results()) };
}

test('cases are run in the order of the request', () => {
  const { run: order } = run(
    [
      ['b', 'ACCEPTED'],
      ['a', 'ACCEPTED'],
      ['', 'ACCEPTED'],
      ['b', 'ACCEPTED'],
    ],
    [{ name: 'a' }, { name: 'b' }],
  );
  expect(order).toEqual([0, 1, 2, 3]);
});

test('groups are run after those that they depend on, and results are in the order of the request', () => {
  const { run: order, results } = run(
    [
      ['c', 'ACCEPTED'],
      ['b', 'ACCEPTED'],
      ['a', 'ACCEPTED'],
      ['a', 'ACCEPTED'],
    ],
    [{ name: 'c', dependsOn: ['a', 'b'] }, { name: 'b', dependsOn: ['a'] }, { name: 'a' }],
  );
  expect(order).toEqual([2, 3, 1, 0]);
  expect(results.map(({ skipped }) => skipped)).toEqual([false, false, false, false]);
});

test('a group is skipped, and says so, where one that it depends on failed or was skipped', () => {
  const {
    run: order,
    results,
    groups,
  } = run(
    [
      ['a', 'ACCEPTED', 1],
      ['a', 'WRONG_ANSWER', 1],
      ['b', 'ACCEPTED', 1],
      ['c', 'ACCEPTED', 1],
      ['', 'ACCEPTED', 1],
    ],
    [
      { name: 'a', points: 10 },
      { name: 'b', points: 10, dependsOn: ['a'] },
      { name: 'c', points: 10, dependsOn: ['b'] },
    ],
  );
  expect(order).toEqual([0, 1, 4]);
  expect(results.slice(2, 4)).toMatchObject([
    {
      name: '2',
      skipped: true,
      verdict: 'VERDICT_UNSPECIFIED',
      message: "its group depends on 'a', of which a case was not accepted",
    },
    { name: '3', skipped: true, message: "its group depends on 'b', of which a case was not accepted" },
  ]);
  expect(groups).toEqual([
    { name: 'a', verdict: 'WRONG_ANSWER', score: 0, maxScore: 10 },
    { name: 'b', verdict: 'VERDICT_UNSPECIFIED', score: 0, maxScore: 10 },
    { name: 'c', verdict: 'VERDICT_UNSPECIFIED', score: 0, maxScore: 10 },
  ]);
});

test('a group stops at a case that scored nothing, and only it', () => {
  const group = { name: 'a', points: 10, aggregation: 'MIN' as const };
  const cases: Given[] = [
    ['a', 'WRONG_ANSWER', -4],
    ['a', 'RUNTIME_ERROR'],
    ['a', 'ACCEPTED', 10],
    ['', 'ACCEPTED', 1],
  ];
  expect(run(cases, [{ ...group, onFailure: 'STOP' }])).toMatchObject({
    run: [0, 1, 3],
    results: [{}, {}, { skipped: true, message: 'an earlier case of its group scored nothing' }, {}],
    groups: [{ verdict: 'WRONG_ANSWER', score: 0 }],
    score: 1,
    maxScore: 11,
  });
  expect(run(cases, [{ ...group, onFailure: 'CONTINUE' }]).run).toEqual([0, 1, 2, 3]);
});

test('the first failure may stop everything', () => {
  const { run: order, results } = run(
    [
      ['', 'ACCEPTED', 2],
      ['', 'WRONG_ANSWER', -1],
      ['', 'ACCEPTED', 2],
    ],
    [],
    true,
  );
  expect([order, results[2]]).toMatchObject([[0, 1], { skipped: true, message: 'an earlier case was not accepted' }]);
});

describe('a score', () => {
  const cases: Given[] = [
    ['a', 'ACCEPTED', 10],
    ['a', 'WRONG_ANSWER', -4],
    ['a', 'ACCEPTED', 10],
  ];
  test.each([
    ['MIN', 4],
    ['SUM', 20],
    ['ALL_OR_NOTHING', 0],
  ] as const)('by %s is %d', (aggregation, score) => {
    expect(run(cases, [{ name: 'a', points: 20, aggregation }])).toMatchObject({ score, maxScore: 20 });
  });

  test.each([
    ['MIN', 10],
    ['SUM', 20],
    ['ALL_OR_NOTHING', 20],
  ] as const)('of accepted cases by %s is %d', (aggregation, score) => {
    const all = cases.map((): Given => ['a', 'ACCEPTED', 10]);
    expect(run(all, [{ name: 'a', points: 20, aggregation }])).toMatchObject({
      score,
      groups: [{ verdict: 'ACCEPTED' }],
    });
  });

  test('of parts adds up', () => {
    const seven = Array.from({ length: 7 }, (): Given => ['a', 'ACCEPTED', 10 / 7]);
    expect(run(seven, [{ name: 'a', points: 10, aggregation: 'SUM' }]).score).toBe(10);
  });

  test.each([
    [10, 'ACCEPTED', undefined, 10],
    [10, 'WRONG_ANSWER', undefined, 0],
    [10, 'WRONG_ANSWER', 4, 4],
    [10, 'WRONG_ANSWER', 40, 10],
    [10, 'ACCEPTED', -1, 0],
  ] as const)('within %d for %s and %s of a checker is %d', (points, verdict, given, score) => {
    expect(scoreOf(points, verdict, given)).toBe(score);
  });
});
