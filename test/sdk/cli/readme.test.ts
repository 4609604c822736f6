import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from '../../../deploy/host/root.ts';
import { openTenant } from '../fixture.ts';
import { DRYDOCK, environment, openTerminal, temporaryDirectory } from './fixture.ts';
import { svgOf } from './svg.ts';

const README = join(ROOT, 'libs/cli/README.md');
const PROMPT = '\u276f ';

test('the commands of the README run', async () => {
  await using tenant = await openTenant();
  await using directory = await temporaryDirectory();
  const blocks = [...(await readFile(README, 'utf8')).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!);
  expect(blocks.length).toBeGreaterThan(2);
  const env = environment(tenant.secret);
  const script = ['set -eu', `PATH="${join(DRYDOCK, '..')}:$PATH"`, ...blocks].join('\n');
  const { stdout } = await promisify(execFile)('bash', ['-c', script], {
    cwd: directory.path,
    env: { ...env, HOME: directory.path },
  });
  expect(stdout).toMatch(/^49\n49\n81\n/);
  expect(stdout).toContain('working\ndone\n');
  expect(await tenant.drydock.sandboxes.list({ states: ['RUNNING'] }).toArray()).toEqual([]);
  const results = (await readFile(join(directory.path, 'results.jsonl'), 'utf8')).trim().split('\n');
  expect(results.map((line) => JSON.parse(line).verdict)).toEqual(['ACCEPTED', 'ACCEPTED', 'ACCEPTED']);
});

const SQUARES = Array.from({ length: 40 }, (_, i) =>
  JSON.stringify({
    language: 'python',
    source: 'print(int(input())**2)',
    stdin: `${i}`,
    expectedOutput: `${i === 9 ? 80 : i ** 2}`,
  }),
);
const FILES = {
  'hello.py': 'print("hello from a sandbox")\n',
  'square.cpp': '#include <iostream>\nint main() { long x; std::cin >> x; std::cout << x * x << "\\n"; }\n',
  'broken.cpp': 'int main() { return answer; }\n',
  'programs.jsonl': `${SQUARES.join('\n')}\n`,
};
const RECORDINGS: [name: string, title: string, commands: string[]][] = [
  [
    'run',
    'drydock run',
    [
      'cat hello.py',
      'drydock run hello.py',
      'echo 7 | drydock run square.cpp',
      'drydock run broken.cpp; echo "exit code $?"',
    ],
  ],
  [
    'batch',
    'drydock queue batch',
    ['wc -l programs.jsonl', 'drydock queue batch programs.jsonl', 'echo "exit code $?"'],
  ],
];

test.each(RECORDINGS)('the recording %s shows what a terminal shows', async (name, title, commands) => {
  await using tenant = await openTenant();
  await using directory = await temporaryDirectory();
  for (const [file, content] of Object.entries(FILES)) await writeFile(join(directory.path, file), content);
  const env = environment(tenant.secret, { HOME: directory.path, PS1: PROMPT });
  const path = `${join(DRYDOCK, '..')}:${env.PATH}`;
  const shell = { env: { ...env, PATH: path }, cwd: directory.path, command: 'bash', columns: 80, rows: 40 };
  await using terminal = openTerminal(['--norc', '--noprofile'], shell);
  for (const [at, command] of commands.entries()) {
    await terminal.showing(new RegExp(`(${PROMPT}[\\s\\S]*){${at}}${PROMPT.trim()}$`));
    terminal.type(`${command}\r`);
  }
  await terminal.showing(new RegExp(`(${PROMPT}[\\s\\S]*){${commands.length}}${PROMPT.trim()}$`));
  await expect(svgOf(terminal.screen, title)).toMatchFileSnapshot(join(ROOT, `libs/cli/recordings/${name}.svg`));
});
