import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { corpus, EXCESSES, excesses } from './corpus.ts';

const { languages } = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));

const KINDS = ['hello', 'input', 'compile-error', 'runtime-error'];
/** Of languages whose every kind of verdict is known: those of the first templates. */
const MORE_KINDS = ['hello', 'input', 'unicode', 'modules', 'compile-error', 'runtime-error'];
const FIRST_TEMPLATES = ['python', 'polyglot', 'extended'];
const LATER = ['groovy', 'coffeescript'];
const all = [...languages.values()];
const first = all.filter(({ name, template }) => FIRST_TEMPLATES.includes(template) && !LATER.includes(name));
const later = all.filter((language) => !first.includes(language));

test.each(later)(
  '$name has programs that read, fail, do not compile and exceed the memory, and a larger one',
  ({ name }) => {
    const names = corpus.filter(({ language }) => language === name).map(({ name }) => name);
    const larger = ['primes', 'n-body', 'fannkuch'].filter((name) => names.includes(name));
    expect(larger).not.toEqual([]);
    expect(names).toEqual(expect.arrayContaining(KINDS));
    expect(excesses.some((program) => program.language === name && program.name === 'hog')).toBe(true);
  },
);

test.each(first)('$name has a program of every kind, and one that ends by a signal', ({ name }) => {
  const programs = corpus.filter(({ language }) => language === name);
  const names = programs.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(MORE_KINDS));
  expect(programs.filter(({ signal }) => signal)).toHaveLength(1);
  expect(new Set(names).size).toBe(names.length);
});

test.each(first)('$name has a program for every limit', ({ name }) => {
  const programs = excesses.filter(({ language }) => language === name).map(({ name }) => name);
  expect(programs.sort()).toEqual(Object.keys(EXCESSES).sort());
});

test('every language of the corpus is one of the catalogue', () => {
  expect([...new Set(corpus.map(({ language }) => language))].filter((name) => !languages.has(name))).toEqual([]);
});

test('every output expected is one on which several languages agree', () => {
  const accepted = corpus.filter(({ verdict }) => verdict === 'ACCEPTED');
  const counts = Map.groupBy(accepted, ({ name }) => name);
  const alone = [...counts].filter(([, programs]) => programs.length < 2).map(([name]) => name);
  // Packages are Go's own; what they print is what modules print.
  expect(alone).toEqual(['packages']);
  expect(accepted.filter(({ expected }) => expected === '')).toEqual([]);
});
