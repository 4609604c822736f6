import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openSandbox, openTenant } from '../fixture.ts';
import { drydock, environment, openTerminal, temporaryDirectory } from './fixture.ts';

test.concurrent('a sandbox is made, found, extended and deleted', async () => {
  await using tenant = await openTenant();
  const env = environment(tenant.secret);
  const run = (...args: string[]) => drydock(['sandbox', ...args], { env });
  const made = await run('create', 'python', '--quiet', '--memory', '256MiB', '--label', 'task=a', '--lifetime', '5m');
  expect(made).toEqual({ stdout: expect.stringMatching(/^sbx_\w{26}\n$/), stderr: '', exitCode: 0 });
  const id = made.stdout.trim();
  const listed = JSON.parse((await run('list', '--label', 'task=a')).stdout);
  expect(listed).toMatchObject([
    { id, state: 'RUNNING', metadata: { task: 'a' }, limits: { memoryBytes: 256 * 1024 ** 2 } },
  ]);
  expect((await run('list', '--label', 'task=b', '--output', 'jsonl')).stdout).toBe('');
  const before = Date.parse(JSON.parse((await run('get', id)).stdout).expireTime);
  const after = Date.parse(JSON.parse((await run('extend', id, '1h')).stdout).expireTime);
  expect(after - before).toBeGreaterThan(50 * 60_000);
  expect(await run('delete', id)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  expect(JSON.parse((await run('get', id)).stdout)).toMatchObject({ state: 'STOPPED', stopReason: 'DELETED' });
  const unknown = 'sbx_00000000000000000000000000';
  expect(await run('delete', unknown)).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining('sandbox list'),
  });
  expect(await run('create', 'nosuch')).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining('templates list'),
  });
});

test.concurrent('a command gets input and environment; its output and exit code come back', async () => {
  await using tenant = await openSandbox();
  const env = environment(tenant.secret);
  const { id } = tenant.sandbox;
  const exec = (args: string[], input = '') => drydock(['exec', ...args], { env, input });
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
  const hashed = await drydock(['exec', id, '--', 'sha256sum'], { env, input: bytes });
  expect(hashed.stdout).toContain(createHash('sha256').update(bytes).digest('hex'));
  expect(await exec(['-e', 'A=1', '-w', '/tmp', id, '--', 'sh', '-c', 'pwd; echo $A; echo no >&2; exit 4'])).toEqual({
    stdout: '/tmp\n1\n',
    stderr: 'no\n',
    exitCode: 4,
  });
  expect(await exec([id, '--', 'nosuch'])).toMatchObject({ exitCode: 127, stderr: expect.stringContaining('nosuch') });
  expect(await exec(['--timeout', '200ms', id, '--', 'sleep', '60'])).toMatchObject({ exitCode: 124 });
  expect(await exec([id, '--', 'true'], 'x'.repeat(200_000))).toMatchObject({ exitCode: 0, stderr: '' });
});

test.concurrent('Ctrl-C kills the command of exec, and leaves that of logs', async () => {
  await using tenant = await openSandbox();
  const env = environment(tenant.secret);
  const { id, commands } = tenant.sandbox;
  const running = async () => (await commands.list()).filter((command) => command.running).length;
  await using exec = openTerminal(['exec', id, '--', 'sh', '-c', 'echo begun; sleep 100'], { env });
  await exec.showing('begun');
  exec.type('\x03');
  expect(await exec.ended).toBe(130);
  expect(await running()).toBe(0);
  const started = await drydock(['exec', '--detach', id, '--', 'sh', '-c', 'echo ready; sleep 100'], { env });
  expect(JSON.parse(started.stdout)).toMatchObject({ id: expect.stringMatching(/^prc_/) });
  await using logs = openTerminal(['sandbox', 'logs', id], { env });
  await logs.showing('ready');
  logs.type('\x03');
  expect(await logs.ended).toBe(130);
  expect(await running()).toBe(1);
  const listed = await drydock(['sandbox', 'ps', id, '--output', 'table'], { env });
  expect(listed.stdout).toMatch(/prc_[\s\S]*RUNNING[\s\S]*sleep 100/);
});

test.concurrent('files and directories are copied both ways', async () => {
  await using tenant = await openSandbox();
  await using directory = await temporaryDirectory();
  const env = environment(tenant.secret);
  const { id } = tenant.sandbox;
  const cp = (from: string, to: string, input = '') => drydock(['cp', from, to], { env, cwd: directory.path, input });
  await mkdir(join(directory.path, 'src/empty'), { recursive: true });
  await writeFile(join(directory.path, 'src/main.sh'), 'echo hi', { mode: 0o755 });
  await writeFile(join(directory.path, 'src/ünï 日本.txt'), 'text');
  await symlink('/etc/passwd', join(directory.path, 'src/link'));
  expect(await cp('src', `${id}:`)).toEqual({ stdout: '', stderr: expect.stringContaining('link'), exitCode: 0 });
  expect((await tenant.sandbox.commands.run('./src/main.sh; find src | sort')).stdout).toBe(
    'hi\nsrc\nsrc/empty\nsrc/main.sh\nsrc/ünï 日本.txt\n',
  );
  await tenant.sandbox.commands.run('ln -s /etc/passwd src/evil');
  expect(await cp(`${id}:src`, 'back')).toEqual({ stdout: '', stderr: expect.stringContaining('evil'), exitCode: 0 });
  expect((await readdir(join(directory.path, 'back'))).sort()).toEqual(['empty', 'main.sh', 'ünï 日本.txt']);
  expect((await stat(join(directory.path, 'back/main.sh'))).mode & 0o777).toBe(0o755);
  expect(await cp('-', `${id}:piped`, 'through a pipe')).toMatchObject({ exitCode: 0 });
  expect(await cp(`${id}:piped`, '-')).toEqual({ stdout: 'through a pipe', stderr: '', exitCode: 0 });
  expect(await cp(`${id}:piped`, '.')).toMatchObject({ exitCode: 0 });
  expect(await readFile(join(directory.path, 'piped'), 'utf8')).toBe('through a pipe');
  expect(await cp(`${id}:nosuch`, '.')).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('nosuch') });
  expect(await cp('nosuch', `${id}:`)).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining('no such file'),
  });
  expect(await cp('a', 'b')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('ID:PATH') });
});

test.concurrent('names that a sandbox says cannot write elsewhere, nor act on the terminal', async () => {
  await using tenant = await openSandbox();
  await using directory = await temporaryDirectory();
  const env = environment(tenant.secret);
  const { id } = tenant.sandbox;
  await tenant.sandbox.commands.run(['python3', '-c', 'import os; os.mkdir("d"); open("d/a\\x1b[2Jb\\\\c", "w")']);
  const copied = await drydock(['cp', `${id}:d`, 'd'], { env, cwd: directory.path });
  expect(copied.exitCode).toBe(2);
  expect(copied.stderr).not.toContain('\x1b');
});

test.concurrent('a large file shows how far it is, on a terminal alone', async () => {
  await using tenant = await openSandbox();
  await using directory = await temporaryDirectory();
  const env = environment(tenant.secret);
  await writeFile(join(directory.path, 'large'), Buffer.alloc(48 * 1024 ** 2, 7));
  await using terminal = openTerminal(['cp', 'large', `${tenant.sandbox.id}:`], { env, cwd: directory.path });
  await terminal.showing(/█░* .*of 48 MiB/);
  expect(await terminal.ended).toBe(0);
  expect(terminal.text()).toBe('');
  const back = await drydock(['cp', `${tenant.sandbox.id}:large`, 'back'], { env, cwd: directory.path });
  expect(back).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  expect((await stat(join(directory.path, 'back'))).size).toBe(48 * 1024 ** 2);
});

test.concurrent('sync uploads what differs, and deletes when asked to', async () => {
  await using tenant = await openSandbox();
  await using directory = await temporaryDirectory();
  const env = environment(tenant.secret);
  const { id, commands } = tenant.sandbox;
  const sync = (...args: string[]) => drydock(['sync', '.', `${id}:site`, ...args], { env, cwd: directory.path });
  await mkdir(join(directory.path, '.git'));
  await writeFile(join(directory.path, '.git/config'), '');
  for (const name of ['a', 'b', 'c']) await writeFile(join(directory.path, name), `${name}1`);
  expect(await sync()).toEqual({ stdout: '', stderr: '3 of 3 files uploaded\n', exitCode: 0 });
  // Of the same size, and other content.
  await writeFile(join(directory.path, 'b'), 'b2');
  await commands.run('echo more > site/c; echo x > site/extra');
  expect((await sync()).stderr).toBe('2 of 3 files uploaded\n');
  expect((await commands.run('cd site; cat a b c; ls')).stdout).toBe('a1b2c1a\nb\nc\nextra\n');
  expect((await sync('--delete')).stderr).toBe('0 of 3 files uploaded, 1 deleted\n');
  await using terminal = openTerminal(['sync', '.', `${id}:site`, '--watch'], { env, cwd: directory.path });
  await terminal.showing('0 of 3');
  await writeFile(join(directory.path, 'd'), 'd1');
  await terminal.showing('1 of 4');
  expect(await tenant.sandbox.files.read('site/d')).toBe('d1');
});
