import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { applyLimits, RUN_TIMES } from './limits.ts';

const template = { memoryBytes: 512 << 20, processes: 128, diskBytes: 128 << 20, cpus: 0.5 };

function apply(requested?: Partial<ResourceLimits>) {
  const violations: string[] = [];
  const limits = requested && ResourceLimits.create(requested);
  const applied = applyLimits('limits', limits, template, RUN_TIMES, (field) => violations.push(field));
  return { applied, violations };
}

test('what is absent takes the default', () => {
  expect(apply()).toEqual({
    violations: [],
    applied: {
      ...template,
      wallTime: { seconds: 10, nanos: 0 },
      cpuTime: { seconds: 10, nanos: 0 },
      outputBytes: 1 << 20,
      stackBytes: 64 << 20,
      fileBytes: 128 << 20,
      openFiles: 1024,
    },
  });
});

test('disk, files and stack of a small sandbox shrink with its memory', () => {
  const { diskBytes, fileBytes, stackBytes } = apply({ memoryBytes: 100 << 20 }).applied;
  expect([diskBytes, fileBytes, stackBytes]).toEqual([50 << 20, 50 << 20, 50 << 20]);
});

test('no file is larger than the disk, and no stack than half of the memory', () => {
  expect(apply({ fileBytes: 129 << 20 }).violations).toEqual(['limits.fileBytes']);
  expect(apply({ stackBytes: 257 << 20 }).violations).toEqual(['limits.stackBytes']);
});

const numbers = [
  'memoryBytes',
  'processes',
  'outputBytes',
  'diskBytes',
  'cpus',
  'stackBytes',
  'fileBytes',
  'openFiles',
] as const;

test('zero, negative, NaN, infinite, fractional and huge numbers are refused, whatever the field', () => {
  const bad = fc.oneof(
    fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.double({ max: -1e-9, noNaN: true }),
    fc.double({ min: 1e12, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...numbers), bad, (name, value) => {
      expect(apply({ [name]: value }).violations).toContain(`limits.${name}`);
    }),
  );
  for (const name of numbers.filter((name) => name !== 'cpus'))
    expect(apply({ [name]: (100 << 20) + 0.5 }).violations).toContain(`limits.${name}`);
});

test('a time of nothing, before nothing or beyond the ceiling is refused', () => {
  for (const wallTime of [
    { seconds: 0, nanos: 0 },
    { seconds: -1, nanos: 0 },
    { seconds: 301, nanos: 0 },
  ])
    expect(apply({ wallTime }).violations).toEqual(['limits.wallTime']);
});

test('whatever passes leaves the disk within half of the memory', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 64 << 20, max: 2 ** 31 - 1 }),
      fc.integer({ min: 1 << 20, max: 2 ** 31 - 1 }),
      (memoryBytes, diskBytes) => {
        const { applied, violations } = apply({ memoryBytes, diskBytes });
        expect(violations.length === 0).toBe(applied.diskBytes * 2 <= applied.memoryBytes);
      },
    ),
  );
});
