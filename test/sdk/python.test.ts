import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { PACKAGES } from '../../deploy/build/sdk.ts';
import { installPython, packPython, pythonTool, unasync } from '../../deploy/build/sdk-python.ts';
import { ROOT } from '../../deploy/host/root.ts';
import { testScenarios } from './program.ts';

const SOURCE = join(ROOT, 'libs/sdk/python');
const CONFIG = join(SOURCE, 'pyproject.toml');
const EXAMPLES = join(SOURCE, 'examples');
const { httpUrl, apiKey } = inject('sdk');
const env = { DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey };

/** A project of a user: the packed SDK in an environment of its own, and the scenarios of both surfaces. */
const packed = await packPython(PACKAGES, () => {});
const project = await mkdtemp(join(tmpdir(), 'drydock-python-'));
const python = await installPython(join(project, 'venv'), [packed.wheel]);
const scenarios = join(project, 'scenarios');
await cp(join(import.meta.dirname, 'python/scenarios'), scenarios, { recursive: true });
await unasync(join(scenarios, '_async'), join(scenarios, '_sync'));

afterAll(() => rm(project, { recursive: true, force: true }));

describe.each([
  ['Python (asyncio)', 'asyncio'],
  ['Python (threads)', 'threads'],
])('%s', (language, surface) => {
  const program = { command: python, args: ['-m', 'scenarios', surface], cwd: project };
  testScenarios(language, async () => program);
});

async function example(file: string, ...args: string[]): Promise<string> {
  return (await execa(python, [file, ...args], { cwd: project, env, all: true })).stdout;
}

test.concurrent.each<[string, string[], RegExp]>([
  ['hello.py', [], /^ACCEPTED 42$/m],
  ['judge.py', [], /^small ACCEPTED\nlarge ACCEPTED\nACCEPTED$/m],
  ['terminal.py', [], /24 80[\s\S]*50 120[\s\S]*the shell ended with 0/],
  ['agent.py', [], /^try 1: AssertionError: add\(2, 3\) is not 5\ntry 2: passed$/m],
  ['batch.py', ['100'], /'ACCEPTED': 100/],
])('the example %s', async (name, args, expected) => {
  expect(await example(join(EXAMPLES, name), ...args)).toMatch(expected);
});

test('the README’s code runs', async () => {
  const readme = await readFile(join(SOURCE, 'README.md'), 'utf8');
  const shown = [...readme.matchAll(/```python\n([\s\S]*?)```/g)].map(async ([, code = ''], at) => {
    const file = join(project, `readme${at}.py`);
    await writeFile(file, code);
    return example(file);
  });
  expect(await Promise.all(shown)).toEqual(['42\n\none\ntwo\nACCEPTED', '42\n\none\ntwo', '42\n\nprint(42)']);
});

test('the version is the SDKs’ one, and each reason of the API has its class', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'libs/sdk/typescript/package.json'), 'utf8'));
  const code = [
    'import drydock; from drydock import _status; from drydock.v1 import error_reason_pb2',
    'print(drydock.__version__, set(error_reason_pb2.ErrorReason.keys()[1:]) ^ set(_status.CLASS_OF_REASON))',
  ].join('\n');
  const { stdout } = await execa(python, ['-c', code]);
  expect(stdout).toBe(`${version} set()`);
});

test('the source distribution makes the same wheel', async () => {
  const { wheel, source } = packed;
  await execa('tar', ['-xzf', source, '-C', project]);
  const directory = join(project, source.split('/').at(-1)!.replace('.tar.gz', ''));
  await pythonTool('python', ['-m', 'hatchling', 'build', '-t', 'wheel', '-d', project], { cwd: directory });
  expect(await readFile(join(project, wheel.split('/').at(-1)!))).toEqual(await readFile(wheel));
});

test('the package’s own tests pass', { timeout: 120_000 }, async () => {
  const env = { PYTHONPATH: 'src', PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await pythonTool('python', ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests'], {
    cwd: SOURCE,
    env,
  });
  expect(stdout).toMatch(/\d+ passed/);
});

test('package, examples and scenarios fit their types and the style', { timeout: 120_000 }, async () => {
  const code = ['libs/sdk/python', 'test/sdk/python'].map((folder) => join(ROOT, folder));
  await pythonTool('ruff', ['check', '--no-cache', '--config', CONFIG, ...code]);
  await pythonTool('ruff', ['format', '--no-cache', '--check', '--config', CONFIG, ...code]);
  const strict = ['--config-file', CONFIG, '--cache-dir', join(project, 'mypy')];
  await pythonTool('mypy', [...strict, 'src', 'tests', 'unasync_surface.py'], { cwd: SOURCE });
  // As a user's: against the package that is installed.
  const installed = ['--python-executable', python, '--cache-dir', join(project, 'mypy-of-user'), '--strict'];
  const packages = ['-p', 'scenarios', '-p', 'examples'];
  await cp(EXAMPLES, join(project, 'examples'), { recursive: true });
  await pythonTool('mypy', [...installed, ...packages], { cwd: project });
});
