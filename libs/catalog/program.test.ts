import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCatalog } from './catalog.ts';
import { planProgram } from './program.ts';

const { languages } = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));
const limits = { memoryBytes: 512 << 20, stackBytes: 64 << 20 };

test('a compiled program takes every source of its language, options before them', () => {
  const plan = planProgram(
    languages.get('c')!,
    {
      files: ['data.txt', 'add.c', 'main.c'],
      entrypoint: 'main.c',
      compilerOptions: ['-Wall'],
      arguments: ['1', '{file}'],
    },
    limits,
  );
  expect(plan.compile).toEqual(['gcc', '-std=gnu17', '-O2', '-o', 'main.out', '-Wall', 'main.c', 'add.c', '-lm']);
  expect(plan.run).toEqual(['./main.out', '1', '{file}']);
});

test('an interpreted program has no compile step', () => {
  const plan = planProgram(
    languages.get('python')!,
    {
      files: ['app/start.py'],
      entrypoint: 'app/start.py',
      compilerOptions: [],
      arguments: [],
    },
    limits,
  );
  expect(plan).toEqual({
    compile: undefined,
    run: ['/usr/bin/python3', 'app/start.py'],
    check: ['/usr/bin/python3', '-I', '-m', 'py_compile', 'app/start.py'],
  });
});

test.each(['python', 'lua'])('a check of %s reads the entry point alone, which may use no other file', (name) => {
  const language = languages.get(name)!;
  const { sourceFile, extensions } = language;
  const files = [sourceFile, `other${extensions[0]}`];
  const program = { files, entrypoint: sourceFile, compilerOptions: [], arguments: [] };
  const { check } = planProgram(language, program, limits);
  expect(check?.filter((word) => files.includes(word))).toEqual([sourceFile]);
});

test('Go compiles what is in the directory of the entry point; other packages come by import', () => {
  const { compile } = planProgram(
    languages.get('go')!,
    {
      files: ['go.mod', 'main.go', 'more.go', 'shapes/circle.go'],
      entrypoint: 'main.go',
      compilerOptions: [],
      arguments: [],
    },
    limits,
  );
  expect(compile).toEqual(['/opt/go/bin/go', 'build', '-o', 'main.out', 'main.go', 'more.go']);
});

test('Fortran compiles the entry point last, after the others in the order of the request', () => {
  const { compile } = planProgram(
    languages.get('fortran')!,
    {
      files: ['units.f90', 'main.f90', 'notes.txt', 'shapes.f90'],
      entrypoint: 'main.f90',
      compilerOptions: ['-Wall'],
      arguments: [],
    },
    limits,
  );
  expect(compile?.slice(-4)).toEqual(['-Wall', 'units.f90', 'shapes.f90', 'main.f90']);
});

test('Java runs the class named like the entry point', () => {
  const { compile, run } = planProgram(
    languages.get('java')!,
    {
      files: ['shapes/Circle.java', 'src/Start.java'],
      entrypoint: 'src/Start.java',
      compilerOptions: [],
      arguments: ['x'],
    },
    limits,
  );
  expect(compile?.slice(-2)).toEqual(['src/Start.java', 'shapes/Circle.java']);
  expect(run.slice(-2)).toEqual(['Start', 'x']);
});

test('a runtime is told its limits, within a word of the catalogue and never in an argument', () => {
  const program = { files: ['Main.java'], entrypoint: 'Main.java', compilerOptions: [], arguments: ['{memoryMiB}'] };
  const { run } = planProgram(languages.get('java')!, program, { memoryBytes: 1000 << 20, stackBytes: 2 ** 31 });
  expect(run).toEqual(expect.arrayContaining(['-Xmx1100m', '-Xss1048576k', '{memoryMiB}']));
});

test('whatever the arguments are, each arrives whole, once and in order', () => {
  fc.assert(
    fc.property(fc.constantFrom(...languages.values()), fc.array(fc.string()), (language, words) => {
      const { sourceFile } = language;
      const { run } = planProgram(
        language,
        {
          files: [sourceFile],
          entrypoint: sourceFile,
          compilerOptions: [],
          arguments: words,
        },
        limits,
      );
      expect(run.slice(run.length - words.length)).toEqual(words);
      const plain = planProgram(
        language,
        {
          files: [sourceFile],
          entrypoint: sourceFile,
          compilerOptions: [],
          arguments: [],
        },
        limits,
      );
      expect(run.slice(0, run.length - words.length)).toEqual(plain.run);
    }),
  );
});
