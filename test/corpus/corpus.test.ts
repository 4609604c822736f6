import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { corpus } from './corpus.ts';

const { languages } = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));

test.each([...languages.keys()])('%s has hello world, UTF-8, several files and more', (name) => {
  const programs = corpus.filter(({ language }) => language === name).map(({ name }) => name);
  expect(programs).toEqual(expect.arrayContaining(['hello', 'unicode', 'modules']));
  expect(programs.length).toBeGreaterThanOrEqual(4);
  expect(new Set(programs).size).toBe(programs.length);
});

test('every language of the corpus is one of the catalogue', () => {
  expect([...new Set(corpus.map(({ language }) => language))].filter((name) => !languages.has(name))).toEqual([]);
});

test('every output expected is one on which several languages agree', () => {
  const counts = Map.groupBy(corpus, ({ name }) => name);
  const alone = [...counts].filter(([, programs]) => programs.length < 2).map(([name]) => name);
  // Packages are Go's own; what they print is what modules print.
  expect(alone).toEqual(['packages']);
  expect(corpus.filter(({ expected }) => expected === '')).toEqual([]);
});
