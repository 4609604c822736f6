import { describe, expect, test } from 'vitest';
import { RunCodeRequest, TestCase, TestGroup } from '#proto/drydock/v1/execution.ts';
import { catalog, refusal } from '../validation-fixture.ts';
import { checkExecution } from './validation.ts';

type Fields = { testCases?: Partial<TestCase>[]; groups?: Partial<TestGroup>[] };

const execution = ({ testCases = [], groups = [], ...more }: Fields & Partial<Omit<RunCodeRequest, keyof Fields>>) =>
  checkExecution(
    RunCodeRequest.create({
      language: 'python',
      source: 'print(1)',
      testCases: testCases.map((each) => TestCase.create(each)),
      groups: groups.map((each) => TestGroup.create(each)),
      ...more,
    }),
    catalog,
  ).spec;

const many = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `g${index}`, group: `g${index}` }));

describe('groups and points', () => {
  test.each<[string, Fields, string[]]>([
    ['more than a hundred groups', { groups: many(101) }, ['groups']],
    ['a group without a name', { groups: [{}] }, ['groups[0].name']],
    ['a long name', { testCases: [{ group: 'n'.repeat(65) }], groups: [{ name: 'n'.repeat(65) }] }, ['groups[0].name']],
    ['a name twice', { testCases: [{ group: 'a' }], groups: [{ name: 'a' }, { name: 'a' }] }, ['groups[1].name']],
    ['a group without cases', { testCases: [{}], groups: [{ name: 'a' }] }, ['groups[0].name']],
    ['a group where there are no cases at all', { groups: [{ name: 'a' }] }, ['groups[0].name']],
    ['a case of an unknown group', { testCases: [{}, { group: 'b' }] }, ['testCases[1].group']],
    ['points below 0', { testCases: [{ points: -1 }] }, ['testCases[0].points']],
    ['points without end', { testCases: [{ points: Number.POSITIVE_INFINITY }] }, ['testCases[0].points']],
    [
      'points that are no number',
      { testCases: [{ group: 'a' }], groups: [{ name: 'a', points: Number.NaN }] },
      ['groups[0].points'],
    ],
    [
      'an unknown dependency',
      { testCases: [{ group: 'a' }], groups: [{ name: 'a', dependsOn: ['x'] }] },
      ['groups[0].dependsOn[0]'],
    ],
    [
      'a dependency twice',
      { testCases: many(2), groups: [{ name: 'g0' }, { name: 'g1', dependsOn: ['g0', 'g0'] }] },
      ['groups[1].dependsOn[1]'],
    ],
    [
      'too many dependencies',
      { testCases: many(1), groups: [{ name: 'g0', dependsOn: many(101).map(({ name }) => name) }] },
      ['groups[0].dependsOn', ...Array(19).fill(expect.stringMatching(/^groups/))],
    ],
    ['itself', { testCases: many(1), groups: [{ name: 'g0', dependsOn: ['g0'] }] }, ['groups[0].dependsOn']],
    [
      'a circle',
      {
        testCases: many(4),
        groups: [
          { name: 'g0', dependsOn: ['g1'] },
          { name: 'g1', dependsOn: ['g2'] },
          { name: 'g2', dependsOn: ['g3', 'g0'] },
          { name: 'g3' },
        ],
      },
      ['groups[0].dependsOn'],
    ],
    [
      'a circle in which every group depends on every group',
      {
        testCases: many(100),
        groups: many(100).map(({ name }) => ({ name, dependsOn: many(100).map((each) => each.name) })),
      },
      ['groups[0].dependsOn'],
    ],
  ])('are refused: %s', (_, fields, violations) => {
    expect(refusal(() => execution(fields))).toEqual(['INVALID_FIELD', violations]);
  });

  test('are completed', () => {
    const { cases, groups, isScored } = execution({
      testCases: [
        { group: 'all' },
        { group: 'min' },
        { group: 'min', points: 7 },
        { group: 'sum' },
        { group: 'sum' },
        { points: 3 },
        {},
      ],
      groups: [
        { name: 'all', points: 10, onFailure: 'STOP' },
        { name: 'min', points: 20, aggregation: 'MIN', dependsOn: ['all'] },
        { name: 'sum', points: 30, aggregation: 'SUM' },
      ],
    });
    expect(isScored).toBe(true);
    expect(cases.map(({ group, points }) => [group, points])).toEqual([
      ['all', 10],
      ['min', 20],
      ['min', 7],
      ['sum', 15],
      ['sum', 15],
      ['', 3],
      ['', 0],
    ]);
    expect(groups).toEqual([
      { name: 'all', points: 10, aggregation: 'ALL_OR_NOTHING', onFailure: 'STOP', dependsOn: [] },
      { name: 'min', points: 20, aggregation: 'MIN', onFailure: 'CONTINUE', dependsOn: ['all'] },
      { name: 'sum', points: 30, aggregation: 'SUM', onFailure: 'CONTINUE', dependsOn: [] },
    ]);
  });

  test.each([
    ['ALL_OR_NOTHING', 5],
    ['SUM', 5],
    ['MIN', 2],
  ] as const)('a group without points has what its cases can earn by %s', (aggregation, points) => {
    const testCases = [
      { group: 'a', points: 2 },
      { group: 'a', points: 3 },
    ];
    expect(execution({ testCases, groups: [{ name: 'a', aggregation }] }).groups).toMatchObject([{ points }]);
  });

  test('without either there is no score', () => {
    expect(execution({ testCases: [{}] })).toMatchObject({ isScored: false, groups: [] });
  });
});

describe('tolerances', () => {
  test.each<[Partial<RunCodeRequest>, number, number]>([
    [{}, 1e-6, 1e-6],
    [{ floatTolerance: 0.5 }, 0.5, 0.5],
    [{ floatAbsoluteTolerance: 2 }, 2, 0],
    [{ floatRelativeTolerance: 0.1 }, 0, 0.1],
    [{ floatTolerance: 0.5, floatAbsoluteTolerance: 0, floatRelativeTolerance: 0.1 }, 0, 0.1],
  ])('%j', (fields, absoluteTolerance, relativeTolerance) => {
    expect(execution(fields)).toMatchObject({ absoluteTolerance, relativeTolerance });
  });

  test.each([
    [{ floatAbsoluteTolerance: -1 }, 'floatAbsoluteTolerance'],
    [{ floatAbsoluteTolerance: Number.POSITIVE_INFINITY }, 'floatAbsoluteTolerance'],
    [{ floatRelativeTolerance: 1.1 }, 'floatRelativeTolerance'],
    [{ floatRelativeTolerance: Number.NaN }, 'floatRelativeTolerance'],
  ])('%j is refused', (fields, field) => {
    expect(refusal(() => execution(fields))).toEqual(['INVALID_FIELD', [field]]);
  });
});
