import { cp, glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { installJava, packJava } from '../../deploy/build/sdk-java.ts';
import { ROOT } from '../../deploy/host/root.ts';
import { testScenarios } from './program.ts';

/** Java starts in a fraction of the time where it does not compile for speed. */
const QUICK_START = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m'];
const SOURCES = join(ROOT, 'test/sdk/java');
const SDK = join(ROOT, 'libs/sdk/java');
const { httpUrl, apiKey } = inject('sdk');

/** Longest that packing and compiling may take, with nothing fetched before. */
const PREPARE_MS = 600_000;

/** An empty project, into which the packed SDK is installed. */
const project = await mkdtemp(join(tmpdir(), 'drydock-java-'));
const classPath = [join(project, 'target/classes'), join(project, 'lib/*')].join(delimiter);
let version: string;

afterAll(() => rm(project, { recursive: true, force: true }));

// Scenarios, examples and the README's first lines are compiled at once.
beforeAll(async () => {
  const packed = await packJava(() => {});
  ({ version } = packed);
  const sources = join(project, 'src/main/java');
  await cp(SOURCES, project, { recursive: true });
  await cp(join(SDK, 'examples'), sources, { recursive: true });
  const [, firstLines = ''] =
    /```java\n(import [\s\S]*?)```/.exec(await readFile(join(SDK, 'README.md'), 'utf8')) ?? [];
  await writeFile(join(sources, 'FirstLines.java'), firstLines);
  await installJava(project, packed);
}, PREPARE_MS);

testScenarios('Java', async () => ({
  command: 'java',
  args: [...QUICK_START, '-cp', classPath, 'scenarios.Main'],
  cwd: project,
}));

async function example(name: string, ...args: string[]): Promise<string> {
  const env = { DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey };
  return (await execa('java', [...QUICK_START, '-cp', classPath, name, ...args], { cwd: project, env })).stdout;
}

test.concurrent.each<[string, string[], RegExp]>([
  ['Hello', [], /^ACCEPTED 42$/m],
  ['Judge', [], /^small ACCEPTED\nlarge ACCEPTED\nACCEPTED$/m],
  ['LiveTerminal', [], /24 80[\s\S]*50 120[\s\S]*the shell ended with 0/],
  ['Agent', [], /^try 1: AssertionError: add\(2, 3\) is not 5\ntry 2: passed$/m],
  ['Queue', ['100'], /ACCEPTED=100/],
])('the example %s', async (name, args, expected) => {
  expect(await example(name, ...args)).toMatch(expected);
});

test('the README’s first lines run', async () => {
  expect(await example('FirstLines')).toBe('42\nhello\ntrue ACCEPTED');
});

test('a user’s test calls the fake server, and its trace goes on there', async () => {
  expect(await example('scenarios.FakePlatform')).toBe('done');
});

test('the version is the one of all SDKs', async () => {
  const typescript = JSON.parse(await readFile(join(ROOT, 'libs/sdk/typescript/package.json'), 'utf8'));
  expect(version).toBe(typescript.version);
  const client = await readFile(join(SDK, 'src/main/java/dev/drydock/Drydock.java'), 'utf8');
  expect(client).toContain(`VERSION = "${version}"`);
});

test('the package has what Maven Central asks for', async () => {
  const packed = join(ROOT, '.build/sdk/java/dev/drydock/drydock', version);
  const files = (await Array.fromAsync(glob(`drydock-${version}*.{jar,pom}`, { cwd: packed }))).sort();
  const kinds = ['-javadoc.jar', '-sources.jar', '.jar', '.pom'];
  expect(files).toEqual(kinds.map((kind) => `drydock-${version}${kind}`));
  const pom = await readFile(join(packed, `drydock-${version}.pom`), 'utf8');
  for (const element of ['name', 'description', 'url', 'licenses', 'developers', 'scm'])
    expect(pom).toContain(`<${element}>`);
});
