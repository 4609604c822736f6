import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTenant } from '../fixture.ts';
import { DRYDOCK, drydock, environment, openTerminal, temporaryDirectory } from './fixture.ts';

/** A tenant, and a directory with files of a user. */
async function given(files: Record<string, string>) {
  const tenant = await openTenant();
  const directory = await temporaryDirectory();
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory.path, name), content);
  const env = environment(tenant.secret);
  return {
    ...tenant,
    env,
    directory: directory.path,
    run: (args: string[], input?: string | Uint8Array) =>
      drydock(['run', ...args], { env, cwd: directory.path, ...(input === undefined ? {} : { input }) }),
    async [Symbol.asyncDispose]() {
      await directory[Symbol.asyncDispose]();
      await tenant[Symbol.asyncDispose]();
    },
  };
}

const ENDLESS = 'import itertools\nfor i in itertools.count(): print(i, flush=True)';

test.concurrent('a program gets arguments and input; its output, errors and exit code come back', async () => {
  const source = 'import sys\nprint(sys.argv[1:], input())\nsys.stderr.write("careful\\n")\nsys.exit(7)';
  await using user = await given({ 'main.py': source });
  const ran = await user.run(['main.py', '--', '--flag', 'a b'], 'über\n');
  expect(ran).toEqual({ stdout: "['--flag', 'a b'] über\n", stderr: 'careful\n', exitCode: 7 });
});

test.concurrent('the language is that of the ending, and other files stand beside the program', async () => {
  const files = {
    'main.cc': '#include "answer.h"\n#include <iostream>\nint main() { std::cout << ANSWER; }',
    'answer.h': '#define ANSWER 42',
  };
  await using user = await given(files);
  expect(await user.run(['main.cc', '--include', 'answer.h'])).toMatchObject({ stdout: '42', exitCode: 0 });
});

test.concurrent('a blob stands beside the program as a file', async () => {
  await using user = await given({ 'main.py': "print(open('data').read())" });
  const { sha256 } = await user.drydock.blobs.put('kept');
  expect(await user.run(['main.py', '--blob-file', `data=${sha256}`])).toMatchObject({ stdout: 'kept\n', exitCode: 0 });
  const twice = await user.run(['main.py', '--blob-file', `main.py=${sha256}`]);
  expect(twice).toMatchObject({ stderr: expect.stringContaining("Two files are named 'main.py'"), exitCode: 2 });
});

test.concurrent('how a program ended is its exit code', async () => {
  await using user = await given({
    'broken.c': 'int main() {',
    'endless.py': 'while True: pass',
    'killed.py': 'import os\nos.kill(os.getpid(), 11)',
  });
  expect(await user.run(['broken.c'])).toMatchObject({ exitCode: 126, stderr: expect.stringContaining('broken.c:1') });
  expect(await user.run(['endless.py', '--time', '500ms'])).toMatchObject({
    exitCode: 124,
    stderr: expect.stringContaining('--time'),
  });
  expect(await user.run(['killed.py'])).toMatchObject({ exitCode: 139, stderr: expect.stringContaining('SIGSEGV') });
});

test.concurrent('what cannot be run says what to do', async () => {
  await using user = await given({ 'main.pl': '', 'main.zzz': '', 'main.py': 'print(1)' });
  const cases: [string[], number, RegExp][] = [
    [['missing.py'], 125, /missing\.py.*no such file/],
    [['main.zzz'], 125, /'\.zzz'[\s\S]*--language/],
    [['main.pl'], 2, /perl and prolog/],
    [['-'], 2, /--language/],
    [['main.py', '--language', 'klingon'], 125, /klingon[\s\S]*languages list/],
    [['main.py', '--memory', 'lots'], 2, /512MiB/],
    [['main.py', '--nosuch'], 2, /--nosuch/],
  ];
  for (const [args, exitCode, stderr] of cases)
    expect(await user.run(args), args.join(' ')).toEqual({
      stdout: '',
      stderr: expect.stringMatching(stderr),
      exitCode,
    });
  expect(await user.run(['main.py'], Buffer.from([0xff, 0xfe]))).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining('UTF-8'),
  });
});

test.concurrent('a program on standard input', async () => {
  await using user = await given({});
  expect(await user.run(['-', '--language', 'python'], 'print(6 * 7)')).toMatchObject({ stdout: '42\n', exitCode: 0 });
});

test.concurrent('the whole execution is shown as data when asked for', async () => {
  await using user = await given({ 'main.py': 'print(chr(27) + "[2J" + chr(0x9b) + chr(0x202e))' });
  const { stdout } = await user.run(['main.py', '--output', 'jsonl']);
  expect(JSON.parse(stdout)).toMatchObject({ verdict: 'ACCEPTED', stdout: '\x1b[2J\x9b\u202e\n', exitCode: 0 });
  expect(stdout.trimEnd()).toMatch(/^[\x20-\x7e]*$/);
  const yaml = await user.run(['main.py', '--output', 'yaml']);
  expect(yaml.stdout).toMatch(/^[\n\x20-\x7e]*$/);
});

test.concurrent('Ctrl-C ends the program on the platform', async ({ expect }) => {
  await using user = await given({ 'endless.py': ENDLESS });
  await using terminal = openTerminal(['run', 'endless.py'], { env: user.env, cwd: user.directory });
  await terminal.showing('10');
  const running = async () => (await user.drydock.executions.list({ states: ['RUNNING'] }).toArray()).length;
  terminal.type('\x03');
  expect(await terminal.ended).toBe(130);
  await expect.poll(running).toBe(0);
});

test.concurrent('a closed output ends the program without a word', async () => {
  await using user = await given({ 'endless.py': ENDLESS });
  const child = spawn(
    'sh',
    ['-c', `{ "$0" run endless.py </dev/null; echo "ended with $?" >&2; } | head -n 3`, DRYDOCK],
    {
      env: user.env,
      cwd: user.directory,
    },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (piece) => {
    stdout += piece;
  });
  child.stderr.on('data', (piece) => {
    stderr += piece;
  });
  await once(child, 'close');
  expect([stdout, stderr]).toEqual(['0\n1\n2\n', 'ended with 141\n']);
});

test.concurrent('--watch runs a program again when its file changes, also while it runs', async () => {
  await using user = await given({ 'main.py': 'print("first")' });
  await using terminal = openTerminal(['run', '--watch', 'main.py'], { env: user.env, cwd: user.directory });
  await terminal.showing(/first[\s\S]*waiting for a change/);
  await writeFile(join(user.directory, 'main.py'), `print("second")\nimport time\ntime.sleep(100)`);
  await terminal.showing('second');
  await writeFile(join(user.directory, 'main.py'), 'print("third")');
  await terminal.showing(/third[\s\S]*waiting for a change/);
  terminal.type('\x03');
  expect(await terminal.ended).toBe(130);
});
