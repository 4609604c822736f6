import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { GO_FLAGS } from '../../deploy/build/generate.ts';
import { BUILD, ROOT } from '../../deploy/host/root.ts';
import { apiKey, httpUrl } from './fixture.ts';
import { testScenarios } from './program.ts';

const MODULE = join(BUILD, 'sdk/go');
const BUILD_MS = 180_000;
/** As the agent is built, so that what both need is compiled once. */
const ENVIRONMENT = { CGO_ENABLED: '0', GOFLAGS: GO_FLAGS };
const { version } = JSON.parse(await readFile(join(ROOT, 'libs/sdk/typescript/package.json'), 'utf8'));
const readme = await readFile(join(MODULE, 'README.md'), 'utf8');

/** An empty directory, which the first lines of the README make a project. */
const project = (async () => {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-go-'));
  const [, commands = ''] = /```sh\n([\s\S]*?)export /.exec(readme) ?? [];
  await execa('sh', ['-ec', commands], { cwd: directory, env: { ...ENVIRONMENT, MODULE } });
  return directory;
})();

afterAll(async () => rm(await project, { recursive: true, force: true }));

/** Builds a package of the project, and answers with the program. */
async function build(name: string): Promise<string> {
  const directory = await project;
  const program = join(directory, 'bin', name.split('/').at(-1)!);
  await execa('go', ['build', '-o', program, name], { cwd: directory, env: ENVIRONMENT });
  return program;
}

async function run(program: string, ...args: string[]): Promise<string> {
  const env = { DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey };
  return (await execa(program, args, { cwd: await project, env })).stdout;
}

testScenarios('Go', async () => {
  const directory = await project;
  await cp(join(ROOT, 'test/sdk/go'), join(directory, 'scenarios'), { recursive: true });
  return { command: await build('./scenarios'), args: [], cwd: directory, env: ENVIRONMENT };
});

test.concurrent.each<[string, string[], RegExp]>([
  ['hello', [], /^ACCEPTED 42$/m],
  ['judge', [], /^small ACCEPTED\nlarge ACCEPTED\nACCEPTED$/m],
  ['terminal', [], /24 80[\s\S]*50 120[\s\S]*the shell ended with 0/],
  ['agent', [], /^try 1: AssertionError: add\(2, 3\) is not 5\ntry 2: passed$/m],
  ['queue', ['100'], /^map\[ACCEPTED:100\]$/m],
])('the example %s in Go', { timeout: BUILD_MS }, async (name, args, expected) => {
  expect(await run(await build(`drydock.dev/drydock/examples/${name}`), ...args)).toMatch(expected);
});

test('the README’s first lines of Go run', { timeout: BUILD_MS }, async () => {
  const [, code = ''] = /```go\n(package main[\s\S]*?)```/.exec(readme) ?? [];
  const directory = join(await project, 'readme');
  await mkdir(directory);
  await writeFile(join(directory, 'main.go'), code);
  expect(await run(await build('./readme'))).toBe('ACCEPTED 42\nhello');
});

test('the version is that of the other SDKs', async () => {
  expect(readme).toContain(`go get drydock.dev/drydock@v${version}\n`);
  expect(await readFile(join(MODULE, 'version.go'), 'utf8')).toContain(`const Version = "${version}"`);
});
