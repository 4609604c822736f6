import { describe, expect, inject, test } from 'vitest';
import { connectHttp } from '../support/api.ts';

const platform = inject('platform');
const http = connectHttp(platform, platform.apiKey);
const MiB = 1024 * 1024;

async function run(body: Record<string, unknown>) {
  return (await http('POST', '/v1/executions:run', body)).body;
}

const JAVA_MAIN = 'public static void main(String[] a) { System.out.println("hi"); }';
const THREADS = `public class Main { public static void main(String[] a) { for (int i = 0; i < 400; i++) {
  Thread t = new Thread(() -> { try { Thread.sleep(2000); } catch (Exception e) {} }); t.setDaemon(true); t.start(); } } }`;
const GETENV = '#include <stdio.h>\n#include <stdlib.h>\nint main() { puts(getenv("PATH")); }';
const SYNTAX_ERROR = {
  python: 'print(1',
  javascript: 'f(;',
  bash: 'if',
  ruby: 'def',
  perl: 'if {',
  php: '<?php if',
  lua: 'if',
};

type Row = [string, Record<string, unknown>, Record<string, unknown>];

const VERDICTS: Row[] = [
  [
    'an exception whose text speaks of memory, in C++',
    { language: 'cpp', source: '#include <stdexcept>\nint main() { throw std::runtime_error("not std::bad_alloc"); }' },
    { verdict: 'RUNTIME_ERROR', signal: 'SIGABRT' },
  ],
  [
    'one in PHP',
    { language: 'php', source: '<?php throw new Exception("Out of memory cards");' },
    { verdict: 'RUNTIME_ERROR', exitCode: 255 },
  ],
  [
    'a table of that name',
    { language: 'sqlite', source: 'select * from "out of memory";' },
    { verdict: 'RUNTIME_ERROR', exitCode: 1 },
  ],
  [
    'too many threads in Java',
    { language: 'java', source: THREADS, limits: { processes: 64 } },
    { verdict: 'RUNTIME_ERROR', exitCode: 1 },
  ],
  [
    'a full heap of V8',
    {
      language: 'javascript',
      source: 'const kept = [];\nfor (;;) kept.push(new Array(1_000_000).fill(kept.length));',
      limits: { memoryBytes: 512 * MiB, wallTime: '60s' },
    },
    { verdict: 'MEMORY_EXCEEDED' },
  ],
  [
    'a heap of V8 within its memory',
    {
      language: 'javascript',
      source:
        'const x = [];\nfor (let i = 0; i < 1300; i++) x.push(new Array(65536).fill(i + 0.1));\nconsole.log(x.length);',
      limits: { memoryBytes: 1024 * MiB, wallTime: '60s' },
    },
    { verdict: 'ACCEPTED', stdout: '1300\n' },
  ],
  [
    'deep recursion in JavaScript',
    { language: 'javascript', source: 'const f = (n) => n === 0 ? 0 : 1 + f(n - 1);\nconsole.log(f(50000));' },
    { verdict: 'ACCEPTED', stdout: '50000\n' },
  ],
  [
    'deep recursion in Java',
    {
      language: 'java',
      source:
        'class M { static int f(int n) { return n == 0 ? 0 : 1 + f(n - 1); } public static void main(String[] a) { System.out.println(f(200000)); } }',
    },
    { verdict: 'ACCEPTED', stdout: '200000\n' },
  ],
  [
    'deep recursion in Ruby',
    { language: 'ruby', source: 'def f(n) n == 0 ? 0 : 1 + f(n - 1) end\nputs f(100000)' },
    { verdict: 'ACCEPTED', stdout: '100000\n' },
  ],
  [
    'most of the disk in one directory',
    { language: 'python', source: 'open("a", "wb").write(b"x" * (100 << 20))\nprint("ok")' },
    { verdict: 'ACCEPTED', stdout: 'ok\n' },
  ],
  [
    'output that is in a buffer when the time is up',
    {
      language: 'python',
      source: 'for i in range(3): print("step", i)\nwhile True: pass',
      limits: { wallTime: '1s' },
    },
    { verdict: 'WALL_TIME_EXCEEDED', stdout: 'step 0\nstep 1\nstep 2\n' },
  ],
  [
    'capitals where they do not matter',
    { language: 'python', source: 'print("HELLO Ž")', expectedOutput: 'Hello ž', caseInsensitive: true },
    { verdict: 'ACCEPTED' },
  ],
  [
    'capitals where they do',
    { language: 'python', source: 'print("HELLO")', expectedOutput: 'hello' },
    { verdict: 'WRONG_ANSWER' },
  ],
  ...Object.entries(SYNTAX_ERROR).map(
    ([language, source]): Row => [
      `a syntax error in ${language}`,
      { language, source, testCases: [{ name: 'a' }, { name: 'b' }] },
      { verdict: 'COMPILE_ERROR', cases: [{ name: 'a' }, { name: 'b' }] },
    ],
  ),
  [
    'a program that ends badly although it is well formed',
    { language: 'python', source: 'exit(3)', testCases: [{ name: 'a' }, { name: 'b' }] },
    { verdict: 'RUNTIME_ERROR', exitCode: 3, cases: [{ exitCode: 3 }, { exitCode: 3 }] },
  ],
];

const PROGRAMS: Row[] = [
  [
    'a compiler is found whatever PATH the program gets',
    { language: 'c', source: GETENV, environment: { PATH: '/opt/app' } },
    { stdout: '/opt/app\n' },
  ],
  [
    'so is an interpreter',
    { language: 'python', source: 'import os; print(os.environ["PATH"])', environment: { PATH: '/opt/app' } },
    { stdout: '/opt/app\n' },
  ],
  [
    'Go builds for where it runs',
    {
      language: 'go',
      source: 'package main\nimport ("fmt"; "os")\nfunc main() { fmt.Println(os.Getenv("GOOS")) }',
      environment: { GOOS: 'windows' },
    },
    { stdout: 'windows\n' },
  ],
  ['a Java class of any name', { language: 'java', source: `class Solution { ${JAVA_MAIN} }` }, { stdout: 'hi\n' }],
  ['a public one', { language: 'java', source: `public class TwoSum { ${JAVA_MAIN} }` }, { stdout: 'hi\n' }],
  [
    'one in a package',
    { language: 'java', source: `package com.acme;\npublic class Main { ${JAVA_MAIN} }` },
    { stdout: 'hi\n' },
  ],
  [
    'one in the directory of its package',
    {
      language: 'java',
      files: [
        { name: 'com/acme/Util.java', text: 'package com.acme;\nclass Util { }' },
        { name: 'com/acme/App.java', text: `package com.acme;\npublic class App { ${JAVA_MAIN} }` },
      ],
    },
    { stdout: 'hi\n' },
  ],
  [
    'a Scala object in a package',
    { language: 'scala', source: 'package x.y\nobject Solution extends App { println(3) }' },
    { stdout: '3\n' },
  ],
  [
    'Prolog ends with its goals',
    {
      language: 'prolog',
      source: ':- initialization(main).\nmain :- read(X), writeln(X).\n',
      stdin: '42.\n7.\n',
      arguments: ['-b', 'x'],
    },
    { stdout: '42\n', stderr: '' },
  ],
  ['Bash with CRLF', { language: 'bash', source: 'if [ 1 = 1 ]; then\r\n  echo ok\r\nfi\r\n' }, { stdout: 'ok\n' }],
  [
    'Octave that begins with a function',
    { language: 'octave', source: 'function r = f(x)\n  r = x + 1;\nend\nprintf("%d\\n", f(9));' },
    { stdout: '10\n' },
  ],
];

describe.concurrent('a verdict rests on what happened', () => {
  test.each(VERDICTS)('%s', async (_, request, expected) => {
    const execution = await run(request);
    expect(execution, execution.stderr).toMatchObject(expected);
  });
});

describe.concurrent('a program is run as it is meant', () => {
  test.each(PROGRAMS)('%s', async (_, request, expected) => {
    const execution = await run(request);
    expect(execution, execution.compile?.stderr || execution.stderr).toMatchObject({
      verdict: 'ACCEPTED',
      ...expected,
    });
  });
});

describe('points', () => {
  const request = {
    language: 'python',
    source: 'n = int(input())\nprint(n if n < 3 else 0)',
    testCases: [
      { name: 'small', stdin: '1', expectedOutput: '1', group: 'small' },
      { name: 'large', stdin: '3', expectedOutput: '3', group: 'large' },
      { name: 'larger', stdin: '2', expectedOutput: '2', group: 'large' },
      { name: 'alone', stdin: '2', expectedOutput: '2.05', points: 1.5 },
    ],
    comparison: 'FLOAT',
    floatAbsoluteTolerance: 0.1,
    groups: [
      { name: 'small', points: 30 },
      { name: 'large', points: 70, aggregation: 'SUM', onFailure: 'STOP', dependsOn: ['small'] },
    ],
  };
  const expected = {
    verdict: 'WRONG_ANSWER',
    score: 31.5,
    maxScore: 101.5,
    groups: [
      { name: 'small', verdict: 'ACCEPTED', score: 30, maxScore: 30 },
      { name: 'large', verdict: 'WRONG_ANSWER', score: 0, maxScore: 70 },
    ],
    cases: [
      { name: 'small', score: 30 },
      { name: 'large', score: 0 },
      { name: 'larger', skipped: true, message: 'an earlier case of its group scored nothing' },
      { name: 'alone', score: 1.5 },
    ],
  };

  test('are earned by a run, by a submission, and are in its record and in the list', async () => {
    expect(await run(request)).toMatchObject(expected);
    const { body } = await http('POST', '/v1/executions', request);
    expect((await http('GET', `/v1/executions/${body.id}?wait=60s`)).body).toMatchObject(expected);
    const { executions } = (await http('GET', '/v1/executions?pageSize=1000')).body;
    expect(executions.find(({ id }: { id: string }) => id === body.id)).toMatchObject({ score: 31.5, maxScore: 101.5 });
  });

  test('groups that depend on each other in a circle are refused with the field', async () => {
    const groups = [
      { name: 'small', dependsOn: ['large'] },
      { name: 'large', dependsOn: ['small'] },
    ];
    const { status, body } = await http('POST', '/v1/executions:run', { ...request, groups });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('groups[0].dependsOn');
  });

  test('there are none where none were asked for', async () => {
    const { cases, ...execution } = await run({ ...request, groups: [], testCases: [{ stdin: '1' }] });
    expect([execution.score, execution.maxScore, cases[0].score]).toEqual([undefined, undefined, undefined]);
  });
});

describe('a talk with an interactor', () => {
  const request = {
    language: 'python',
    source: 'while (line := input()) != "end": print(int(line) ** 2, flush=True)',
    testCases: [
      { name: 'a', stdin: '3' },
      { name: 'b', stdin: '4', points: 2 },
    ],
    interactor: {
      language: 'c',
      protocol: 'KATTIS',
      source: `#include <stdio.h>
int main(int c, char **v) {
  int n, got;
  fscanf(fopen(v[1], "r"), "%d", &n);
  printf("%d\\n", n); fflush(stdout);
  if (scanf("%d", &got) != 1 || got != n * n) return 43;
  printf("end\\n");
  return 42;
}`,
    },
    keepTranscript: true,
  };

  test('is judged, compiled once, and read as it was', async () => {
    expect(await run(request)).toMatchObject({
      verdict: 'ACCEPTED',
      score: 2,
      cases: [{ verdict: 'ACCEPTED' }, { score: 2 }],
    });
    const { body } = await http('POST', '/v1/executions', request);
    const got = await http('GET', `/v1/executions/${body.id}?wait=60s`);
    expect(got.body).toMatchObject({ verdict: 'ACCEPTED' });
    const transcript = await fetch(`${platform.httpUrl}/v1/executions/${body.id}/transcript`, {
      headers: { authorization: `Bearer ${platform.apiKey}` },
    });
    expect(await transcript.text()).toBe('> 4\n< 16\n> end\n');
  });

  test.each([
    ['interactor', { checker: request.interactor }],
    ['keepTranscript', { interactor: undefined }],
    ['interactor.source', { interactor: { language: 'c' } }],
    ['parallelism', { parallelism: 17 }],
  ])('is refused with %s', async (field, fields) => {
    const { status, body } = await http('POST', '/v1/executions:run', { ...request, ...fields });
    expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining(`"${field}"`)]);
  });
});

test('the same source is compiled once, and checkers have the convention that they ask for', async () => {
  const source = `#include <stdio.h>\n// ${Date.now()}\nint main() { puts("1"); }`;
  const checker = {
    language: 'python',
    protocol: 'TESTLIB',
    source: 'import sys; print("points 1.5", file=sys.stderr); sys.exit(7)',
  };
  const request = { language: 'c', source, checker, testCases: [{ points: 3 }, { points: 1 }], parallelism: 2 };
  const expected = {
    verdict: 'WRONG_ANSWER',
    score: 2.5,
    cases: [
      { verdict: 'WRONG_ANSWER', score: 1.5 },
      { verdict: 'ACCEPTED', score: 1 },
    ],
  };
  const isCached = async () => {
    const execution = await run(request);
    expect(execution).toMatchObject(expected);
    return execution.compile.cached;
  };
  expect(await isCached()).toBe(false);
  // Of three executions, two are on the same one of the two executors.
  expect([await isCached(), await isCached()]).toContain(true);
});

test('a program that fills its memory with files that it reads has not exceeded it', async () => {
  const source = `import glob
for name in glob.glob("/usr/**/*", recursive=True):
  try:
    with open(name, "rb") as file:
      while file.read(65536): pass
  except OSError: pass
print("ok")`;
  const request = { template: 'polyglot', command: ['python3', 'main.py'], files: [{ name: 'main.py', text: source }] };
  const execution = await run({ ...request, limits: { memoryBytes: 128 * MiB, wallTime: '60s', cpuTime: '60s' } });
  expect(execution, execution.stderr).toMatchObject({ verdict: 'ACCEPTED', usage: { oomKills: 0 } });
});

test('a peak of memory is the program’s own, whatever ran before it', async () => {
  expect(await run({ language: 'kotlin', source: 'fun main() { println("hi") }' })).toMatchObject({
    verdict: 'ACCEPTED',
  });
  const { verdict, usage } = await run({ language: 'c', source: 'int main() { return 0; }' });
  expect(verdict).toBe('ACCEPTED');
  expect(Number(usage.peakMemoryBytes)).toBeLessThan(32 * MiB);
});
