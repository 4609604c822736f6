import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { httpUrl, openTenant } from '../fixture.ts';
import { DRYDOCK, drydock, environment, openTerminal, temporaryDirectory } from './fixture.ts';

/** Without address and key in the environment. */
function homeAt(directory: string) {
  const { DRYDOCK_URL: _url, DRYDOCK_API_KEY: _key, ...env } = environment('');
  return { ...env, HOME: directory };
}

test.concurrent('login reads the key without showing it, tries it, and stores it for its owner alone', async () => {
  await using tenant = await openTenant();
  await using home = await temporaryDirectory();
  const env = homeAt(home.path);
  await using terminal = openTerminal(['login', '--url', httpUrl], { env });
  await terminal.showing('API key');
  terminal.type(`${tenant.secret}\r`);
  expect(await terminal.ended).toBe(0);
  expect(terminal.raw()).not.toContain(tenant.secret);
  expect(terminal.raw()).not.toContain(tenant.secret.slice(3, 12));
  const file = join(home.path, '.config/drydock/config.toml');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const templates = await drydock(['templates', 'list'], { env });
  expect(JSON.parse(templates.stdout)).toEqual(expect.arrayContaining([expect.objectContaining({ id: 'python' })]));
});

test.concurrent('login without a terminal reads a line, and leaves other profiles as they are', async () => {
  await using tenant = await openTenant();
  await using home = await temporaryDirectory();
  const env = homeAt(home.path);
  const file = join(home.path, '.config/drydock/config.toml');
  await mkdir(join(home.path, '.config/drydock'), { recursive: true });
  await writeFile(file, '[profiles.old]\nurl = "http://old.example"\napi_key = "dk_old"\n', { mode: 0o644 });
  const input = `${tenant.secret}\n`;
  const wrong = await drydock(['login', '--url', httpUrl, '--profile', 'ci'], { env, input: 'dk_wrong\n' });
  expect(wrong).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('unknown, expired or revoked') });
  expect(await readFile(file, 'utf8')).not.toContain('ci');
  expect((await drydock(['login', '--url', httpUrl, '--profile', 'ci'], { env, input })).exitCode).toBe(0);
  expect(await readFile(file, 'utf8')).toContain('dk_old');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await drydock(['--profile', 'ci', 'sandbox', 'list'], { env })).stdout).toBe('[]\n');
  expect(await drydock(['sandbox', 'list', '--profile', 'none'], { env })).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining("no profile 'none'"),
  });
  await writeFile(file, 'secret = dk_broken');
  const broken = await drydock(['login', '--url', httpUrl], { env, input });
  expect(broken).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/not TOML \(line 1\)/) });
  expect(broken.stderr).not.toContain('dk_broken');
});

test.concurrent('without a key every command says how to give one', async () => {
  await using home = await temporaryDirectory();
  const ran = await drydock(['sandbox', 'list'], { env: homeAt(home.path) });
  expect(ran).toMatchObject({ stdout: '', exitCode: 125, stderr: expect.stringContaining('drydock login') });
});

test.concurrent('keys, organisations and webhooks are administered', async () => {
  await using tenant = await openTenant();
  const env = environment(tenant.secret);
  const json = async (...args: string[]) => JSON.parse((await drydock(args, { env })).stdout);
  const made = await json('keys', 'create', 'ci', '--expires', '2100-01-01T00:00:00Z');
  expect(made).toMatchObject({ displayName: 'ci', secret: expect.stringMatching(/^dk_/) });
  expect(await json('keys', 'list')).toMatchObject([{ id: made.id }, {}]);
  expect(await drydock(['keys', 'revoke', made.id], { env })).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  expect((await drydock(['keys', 'list', '-o', 'table'], { env })).stdout).toMatch(/ci +REVOKED/);
  expect(await drydock(['keys', 'create', 'x', '--expires', 'soon'], { env })).toMatchObject({ exitCode: 2 });
  expect(await json('orgs', 'get', tenant.organizationId)).toMatchObject({ quota: { concurrentSandboxes: 100 } });
  expect(await drydock(['orgs', 'list'], { env })).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining('scope'),
  });
  const hook = await json('webhooks', 'create', 'https://example.com/hook');
  expect(hook).toMatchObject({ secret: expect.stringMatching(/^whs_/) });
  expect(await json('webhooks', 'deliveries', hook.id)).toEqual([]);
  expect((await json('webhooks', 'rotate-secret', hook.id)).secret).not.toBe(hook.secret);
  expect((await drydock(['webhooks', 'delete', hook.id], { env })).exitCode).toBe(0);
  expect(await json('webhooks', 'list')).toEqual([]);
  const languages = await json('languages', 'list');
  expect(languages).toHaveLength(53);
  expect(await json('languages', 'list', '--limit', '2', '-o', 'json')).toHaveLength(2);
});

test.concurrent('doctor says what is wrong and how to mend it', async () => {
  await using tenant = await openTenant();
  const other = createServer((_, answer) => answer.setHeader('date', new Date(0).toUTCString()).end('{}'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const doctor = async (env: Record<string, string>) => {
    const { stdout, exitCode } = await drydock(['doctor', '-o', 'json'], { env: environment(tenant.secret, env) });
    const failed = JSON.parse(stdout).filter((check: { ok: boolean }) => !check.ok);
    return { exitCode, failed: failed.map((check: { check: string; mend: string }) => [check.check, check.mend]) };
  };
  expect(await doctor({})).toEqual({ exitCode: 0, failed: [] });
  expect(await doctor({ DRYDOCK_API_KEY: 'dk_wrong' })).toMatchObject({
    exitCode: 1,
    failed: [['key', expect.stringContaining('drydock login')]],
  });
  const nobody = await doctor({ DRYDOCK_URL: 'http://127.0.0.1:9' });
  expect(nobody.failed).toEqual([['address', expect.stringContaining('Start Drydock')]]);
  const plain = await doctor({ DRYDOCK_URL: httpUrl.replace('http:', 'https:') });
  expect(plain.failed).toEqual([['address', expect.stringContaining('http:')]]);
  expect((await doctor({ DRYDOCK_URL: 'http://no-such-host.invalid' })).failed).toMatchObject([['address', /Mend/]]);
  const elsewhere = await doctor({ DRYDOCK_URL: `http://127.0.0.1:${port}` });
  expect(elsewhere.failed.map(([check]: [string]) => check)).toEqual(['clock', 'server', 'key']);
  other.close();
});

test.concurrent('a shell completes commands, options and their values', async () => {
  await using home = await temporaryDirectory();
  const env = { ...homeAt(home.path), PS1: '> ' };
  const path = `${join(DRYDOCK, '..')}:${environment('').PATH}`;
  await using terminal = openTerminal(['--norc', '--noprofile'], {
    env: { ...env, PATH: path },
    command: 'bash',
    columns: 120,
  });
  await terminal.showing('>');
  terminal.type('source <(drydock completion bash)\r');
  await terminal.showing(/>.*\n> ?$/);
  for (const [typed, completed] of [
    ['drydock sandb\t', 'drydock sandbox'],
    ['cre\t', 'drydock sandbox create'],
    ['\x15drydock sandbox list --sta\t', 'drydock sandbox list --state'],
    ['RUN\t', 'drydock sandbox list --state RUNNING'],
  ] as const) {
    terminal.type(typed);
    await terminal.showing(completed);
  }
  for (const shell of ['zsh', 'fish']) {
    const ran = await drydock(['completion', shell], { env });
    expect([ran.exitCode, ran.stdout]).toEqual([0, expect.stringContaining('drydock complete -- ')]);
  }
});

test.concurrent('every command has a help, with no call of the platform', async () => {
  const env = homeAt('/nowhere');
  const helpOf = async (...words: string[]): Promise<string> => {
    const ran = await drydock([...words, '--help'], { env });
    expect(ran, words.join(' ')).toMatchObject({
      exitCode: 0,
      stderr: '',
      stdout: expect.stringContaining('Usage: drydock'),
    });
    return ran.stdout;
  };
  const commandsIn = (help: string) => {
    const [, section = ''] = /Commands:\n([\s\S]*?)(\n\n|$)/.exec(help) ?? [];
    return [...section.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name!).filter((name) => name !== 'help');
  };
  const root = await helpOf();
  const commands = commandsIn(root);
  expect(commands).toEqual(
    expect.arrayContaining(['run', 'exec', 'shell', 'sandbox', 'cp', 'sync', 'queue', 'login', 'mcp']),
  );
  // What the API does not have yet is not offered.
  for (const absent of ['port-forward', 'open', 'judge', 'template', 'usage', 'audit'])
    expect(commands).not.toContain(absent);
  const helps = await Promise.all(commands.map(async (name) => [name, commandsIn(await helpOf(name))] as const));
  await Promise.all(helps.flatMap(([name, below]) => below.map((each) => helpOf(name, each))));
  expect(await drydock([], { env })).toMatchObject({ exitCode: 2, stdout: '' });
  expect(await drydock(['sanbox'], { env })).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('sandbox') });
});
