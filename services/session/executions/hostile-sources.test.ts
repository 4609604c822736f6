import { expect, test } from 'vitest';
import { Checker, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { catalog, file, refusal } from '../validation-fixture.ts';
import { checkExecution } from './validation.ts';

const MiB = 1024 * 1024;
const MAX_MS = 1_000;

const HOSTILE: [string, string, string][] = [
  ['java', 'comments without an end', '/* '],
  ['java', 'comments within a line', '// '],
  ['java', 'a text without an end', '\\"'],
  ['java', 'texts without an end', '" \n'],
  ['java', 'text blocks', '""" \\'],
  ['java', 'characters without an end', "'\\"],
  ['java', 'characters', "'\\uuuuu"],
  ['java', 'modifiers without a method', 'static '],
  ['java', 'types without a body', 'class a '],
  ['java', 'types in types', 'class a{static void main();'],
  ['java', 'types with a main method', 'class a{static void main();}'],
  [
    'java',
    'types with a main method in types',
    `${'class a{'.repeat(60)}class b{static void main();}${'}'.repeat(60)}`,
  ],
  ['java', 'main methods', ';static void main('],
  ['java', 'packages', 'package a.b\n'],
  ['java', 'a long word', 'aaaaaaaa'],
  ['java', 'braces', '{'],
  ['java', 'dots', '.'],
  ['java', 'blanks', ' '],
  ['java', 'blanks in lines', 'package  \n  '],
  ['scala', 'objects', 'object a '],
  ['scala', 'objects that extend', 'object a extends '],
  ['scala', 'definitions', 'def main '],
  ['scala', 'objects in objects', 'object a{def main('],
  ['octave', 'line ends', '\r\n'],
  ['octave', 'halves of line ends', '\r'],
  ['php', 'line ends', '\r\n'],
  ['python', 'line ends', '\r\n'],
];

/** Begins so that what follows is in a text. */
const BEGINNINGS = ['', '"', 'class A{', '"""'];

/** Of the processor, which others may keep busy too: milliseconds. */
function timeOf(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

const upTo = (bytes: number, beginning: string, piece: string) =>
  beginning + piece.repeat(Math.floor((bytes - beginning.length) / piece.length));

test.each(HOSTILE)('%s: 10 MiB of %s are read in no time, as a program and as a checker', (language, _, piece) => {
  for (const beginning of BEGINNINGS) {
    const program = RunCodeRequest.create({ language, source: upTo(10 * MiB, beginning, piece) });
    expect(timeOf(() => checkExecution(program, catalog))).toBeLessThan(MAX_MS);
    const checker = Checker.create({ language, source: upTo(MiB, beginning, piece) });
    const judged = RunCodeRequest.create({ language: 'c', source: 'int main(){}', checker });
    expect(timeOf(() => checkExecution(judged, catalog))).toBeLessThan(MAX_MS);
  }
});

test('a thousand files with long names are checked in no time', () => {
  const deep = 'a/'.repeat(120);
  const files = Array.from({ length: 1_000 }, (_, index) => file(`${deep}A${index}.java`, 'class A { }'));
  const request = RunCodeRequest.create({ language: 'java', files });
  expect(timeOf(() => checkExecution(request, catalog))).toBeLessThan(MAX_MS);
});

test('what is too large is refused unread', () => {
  const tooMany = Array.from({ length: 100_000 }, (_, index) => file(`${'a/'.repeat(120)}${index}.java`));
  const tooLarge = 'class a{static void main();'.repeat(10 * MiB);
  for (const program of [{ files: tooMany }, { source: tooLarge }]) {
    const request = RunCodeRequest.create({ language: 'java', ...program });
    let found: unknown;
    expect(timeOf(() => (found = refusal(() => checkExecution(request, catalog))))).toBeLessThan(MAX_MS);
    expect(found).toMatchObject(['INVALID_FIELD', [expect.stringMatching(/files|source/)]]);
  }
});
