import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { connectHttp } from '../support/api.ts';
import { zipOf } from '../support/zip.ts';

const PROBLEMS = join(import.meta.dirname, '../problems');
const LANGUAGES: Record<string, string> = { '.py': 'python', '.cpp': 'cpp' };
/** The verdicts that a folder of submissions stands for. */
const VERDICTS: Record<string, RegExp> = {
  accepted: /^ACCEPTED$/,
  wrong_answer: /^WRONG_ANSWER$/,
  // On a busy machine the time by the clock may be over first.
  time_limit_exceeded: /^(CPU|WALL)_TIME_EXCEEDED$/,
  run_time_error: /^RUNTIME_ERROR$/,
  partially_accepted: /_EXCEEDED$|^WRONG_ANSWER$/,
};

const platform = inject('platform');
const http = connectHttp(platform, platform.apiKey);

/** The files of a problem by path. */
async function filesOf(problem: string): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {};
  for (const entry of await readdir(join(PROBLEMS, problem), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path.slice(PROBLEMS.length + 1)] = await readFile(path);
  }
  return files;
}

async function importOf(files: Record<string, Buffer>) {
  const response = await fetch(`${platform.httpUrl}/v1/testSets:import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.apiKey}` },
    body: new Uint8Array(zipOf(files)),
  });
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
  return (await response.json()) as any;
}

test.each([
  ['difference', 'with the usual comparison', 5],
  ['parts', 'with a checker', 5],
  ['guess', 'with an interactor', 5],
  ['pairs', 'with points', 3],
])('the problem %s, %s, judges each of its submissions as its folder says', async (problem, _, count) => {
  const files = await filesOf(problem);
  const { testSet } = await importOf(files);
  expect(testSet).toMatchObject({ id: expect.stringMatching(/^tst_/) });
  const judged = Object.entries(files)
    .filter(([path]) => path.includes('/submissions/'))
    .map(async ([path, source]) => {
      const request = { language: LANGUAGES[extname(path)], source: `${source}`, testSet: testSet.id };
      return [path, (await http('POST', '/v1/executions:run', request)).body] as const;
    });
  const results = await Promise.all(judged);
  expect(results).toHaveLength(count);
  for (const [path, { verdict, score, maxScore }] of results) {
    const folder = path.split('/').at(-2)!;
    expect(verdict, path).toMatch(VERDICTS[folder]!);
    if (problem !== 'pairs') continue;
    expect([score, maxScore], path).toEqual([{ accepted: 100, partially_accepted: 30 }[folder] ?? 0, 100]);
  }
});
