import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCatalog } from './catalog.ts';
import { planProgram } from './program.ts';

const { languages } = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));

test('a compiled program takes every source of its language, options before them', () => {
  const plan = planProgram(languages.get('c')!, {
    files: ['data.txt', 'add.c', 'main.c'],
    entrypoint: 'main.c',
    compilerOptions: ['-Wall'],
    arguments: ['1', '{file}'],
  });
  expect(plan.compile).toEqual(['gcc', '-std=gnu17', '-O2', '-o', 'main.out', '-Wall', 'main.c', 'add.c', '-lm']);
  expect(plan.run).toEqual(['./main.out', '1', '{file}']);
});

test('an interpreted program has no compile step', () => {
  const plan = planProgram(languages.get('python')!, {
    files: ['app/start.py'],
    entrypoint: 'app/start.py',
    compilerOptions: [],
    arguments: [],
  });
  expect(plan).toEqual({ compile: undefined, run: ['python3', 'app/start.py'] });
});
