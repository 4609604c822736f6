import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';
import { ROOT } from '../../deploy/host/root.ts';
import { apiKey, httpUrl } from './fixture.ts';

const run = promisify(execFile);
const { project } = inject('sdk');
const installed = join(project, 'node_modules/@drydock/sdk');
const env = { PATH: process.env.PATH ?? '', DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey };

/** Examples are run as a user's own files: Node strips types outside of node_modules alone. */
async function example(name: string, ...args: string[]): Promise<string> {
  await writeFile(join(project, name), await readFile(join(installed, 'examples', name)));
  return (await run(process.execPath, [name, ...args], { cwd: project, env })).stdout;
}

test.concurrent.each<[string, string[], RegExp]>([
  ['hello.ts', [], /^ACCEPTED 42$/m],
  ['judge.ts', [], /^small ACCEPTED\nlarge ACCEPTED\nACCEPTED$/m],
  ['terminal.ts', [], /24 80[\s\S]*50 120[\s\S]*the shell ended with 0/],
  ['agent.ts', [], /^try 1: AssertionError: add\(2, 3\) is not 5\ntry 2: passed$/m],
  ['queue.ts', ['100'], /ACCEPTED: 100/],
  ['operations.ts', [], /^FINISHED$[\s\S]*^Ada school$/m],
])('the example %s', async (name, args, expected) => {
  expect(await example(name, ...args)).toMatch(expected);
});

test('the README’s first lines run', async () => {
  const [, code = ''] = /```ts\n(import [\s\S]*?)```/.exec(await readFile(join(installed, 'README.md'), 'utf8')) ?? [];
  await writeFile(join(project, 'readme.ts'), `${code}\nconsole.log(verdict, stdout, result.success, judged);`);
  expect((await run(process.execPath, ['readme.ts'], { cwd: project, env })).stdout).toBe(
    'hello\nACCEPTED 42\n true ACCEPTED\n',
  );
});

test('examples fit the types of the package', async () => {
  const names = ['hello.ts', 'judge.ts', 'terminal.ts', 'agent.ts', 'queue.ts', 'operations.ts'];
  for (const name of names) await writeFile(join(project, name), await readFile(join(installed, 'examples', name)));
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', '--lib', 'esnext'];
  // Of Node, which the project of a user has too.
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options, ...types, ...names], {
    cwd: project,
  });
});
