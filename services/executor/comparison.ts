import type { Comparison } from '#proto/drydock/v1/execution.ts';

/** Whether a program's output is what was expected. */
export function matches(output: string, expected: string, comparison: Comparison, tolerance: number): boolean {
  switch (comparison) {
    case 'EXACT':
      return output === expected;
    case 'TOKENS':
      return sameWords(output, expected, (a, b) => a === b);
    case 'FLOAT':
      return sameWords(output, expected, (a, b) => a === b || nearly(a, b, tolerance));
    case 'TRAILING_SPACE':
    case 'COMPARISON_UNSPECIFIED':
      return withoutTrailingSpace(output) === withoutTrailingSpace(expected);
  }
}

function withoutTrailingSpace(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd();
}

function sameWords(output: string, expected: string, same: (a: string, b: string) => boolean): boolean {
  const [a, b] = [wordsOf(output), wordsOf(expected)];
  return a.length === b.length && a.every((word, index) => same(word, b[index]!));
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function nearly(a: string, b: string, tolerance: number): boolean {
  if (!NUMBER.test(a) || !NUMBER.test(b)) return false;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y));
}
