import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { expect, test } from 'vitest';
import { ROOT } from '../../../deploy/host/root.ts';
import { openTenant } from '../fixture.ts';
import { DRYDOCK, environment, temporaryDirectory } from './fixture.ts';

/** The official client, of the protocol with sessions or the one without. */
type Mode = 'legacy' | { pin: string };
const MODES: Mode[] = ['legacy', { pin: '2026-07-28' }];
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

async function openClient(transport: StdioClientTransport | StreamableHTTPClientTransport, mode: Mode = 'legacy') {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(transport);
  const call = async (name: string, args: Record<string, unknown>, options = {}) => {
    const { structuredContent, content, isError } = await client.callTool({ name, arguments: args }, options);
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
    return { data: structuredContent as Record<string, unknown>, text, content, isError: isError ?? false };
  };
  return { client, call, [Symbol.asyncDispose]: () => client.close() };
}

async function overStdio(mode: Mode = 'legacy') {
  const tenant = await openTenant();
  const env = environment(tenant.secret);
  const transport = new StdioClientTransport({ command: DRYDOCK, args: ['mcp'], env });
  const opened = await openClient(transport, mode);
  const running = async () => (await tenant.drydock.sandboxes.list({ states: ['RUNNING'] }).toArray()).length;
  return {
    ...tenant,
    ...opened,
    running,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await tenant[Symbol.asyncDispose]();
    },
  };
}

/** `drydock mcp --http`, which has no key of its own. */
async function startHttp() {
  const { DRYDOCK_API_KEY: _, ...env } = environment('');
  const child = spawn(DRYDOCK, ['mcp', '--http', '0'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [url] = await new Promise<string[]>((resolve, reject) => {
    createInterface(child.stderr).once('line', (line) => {
      const found = /http:\S+/.exec(line);
      if (found) resolve([...found]);
      else reject(new Error(line));
    });
  });
  return {
    url: new URL(url!),
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

const bearer = (url: URL, key: string) =>
  new StreamableHTTPClientTransport(url, { requestInit: { headers: { authorization: `Bearer ${key}` } } });

test.concurrent.each(MODES)('a model works in a sandbox with files and commands: %o', async (mode) => {
  await using agent = await overStdio(mode);
  const { tools } = await agent.client.listTools();
  expect(tools.map(({ name }) => name).sort()).toEqual([
    'create_sandbox',
    'delete_sandbox',
    'list_files',
    'read_file',
    'run_code',
    'run_command',
    'write_file',
  ]);
  const made = await agent.call('create_sandbox', {});
  const { sandbox_id } = made.data;
  expect(made.data).toEqual({
    sandbox_id: expect.stringMatching(/^sbx_/),
    template: 'python',
    expire_time: expect.any(String),
  });
  await agent.call('write_file', {
    sandbox_id,
    path: 'src/main.py',
    content: 'import sys\nprint(input())\nsys.exit(3)',
  });
  const ran = await agent.call('run_command', { sandbox_id, command: ['python3', 'src/main.py'], stdin: 'über' });
  expect(ran).toMatchObject({
    isError: false,
    text: 'über\n[exit code 3]',
    data: { exit_code: 3, stdout: 'über\n', timed_out: false },
  });
  const listed = await agent.call('list_files', { sandbox_id, path: 'src' });
  expect(listed.data).toEqual({ entries: [{ name: 'main.py', type: 'file', size_bytes: 37 }], truncated: false });
  expect((await agent.call('read_file', { sandbox_id, path: 'src/main.py' })).text).toContain('sys.exit(3)');
  expect(await agent.running()).toBe(1);
  expect((await agent.call('delete_sandbox', { sandbox_id })).data).toEqual({ existed: true });
  expect((await agent.call('delete_sandbox', { sandbox_id })).text).not.toContain('undefined');
  expect(await agent.running()).toBe(0);
});

test.concurrent('a program is run, and what went wrong with it is told', async () => {
  await using agent = await overStdio();
  const hello = await agent.call('run_code', { language: 'python', code: 'print(input())', stdin: 'hi' });
  expect(hello).toMatchObject({ text: 'hi', data: { verdict: 'ACCEPTED', exit_code: 0 } });
  const broken = await agent.call('run_code', { language: 'c', code: 'int main() {' });
  expect(broken).toMatchObject({ isError: false, text: expect.stringMatching(/error:[\s\S]*COMPILE_ERROR/) });
  const endless = await agent.call('run_code', { language: 'python', code: 'while True: pass', timeout_seconds: 1 });
  expect(endless.data.verdict).toMatch(/TIME_EXCEEDED/);
  const unknown = await agent.call('run_code', { language: 'klingon', code: '' });
  expect(unknown).toMatchObject({ isError: true, text: expect.stringContaining('klingon') });
  const none = await agent.call('run_command', { sandbox_id: 'sbx_00000000000000000000000000', command: 'true' });
  expect(none).toMatchObject({ isError: true, text: expect.stringContaining('sandbox') });
});

test.concurrent('outputs, files and lists are limited to what fits a model', async () => {
  await using agent = await overStdio();
  const { sandbox_id } = (await agent.call('create_sandbox', {})).data;
  const flood = await agent.call('run_command', { sandbox_id, command: 'seq 1 100000; echo end; seq 1 100000 >&2' });
  expect(flood.data).toMatchObject({ truncated: true, exit_code: 0 });
  expect(flood.data.stdout).toMatch(/^1\n2\n[\s\S]*bytes left out[\s\S]*\nend\n$/);
  expect(flood.text.length).toBeLessThan(60_000);
  const code = await agent.call('run_code', { language: 'python', code: 'print("x" * 100000)' });
  expect(code.data.truncated).toBe(true);
  await agent.call('run_command', {
    sandbox_id,
    command: 'yes "zeile über" | head -c 100000 > long; mkdir many; cd many; seq 300 | xargs touch',
  });
  const first = await agent.call('read_file', { sandbox_id, path: 'long' });
  const rest = await agent.call('read_file', { sandbox_id, path: 'long', offset_bytes: first.data.next_offset_bytes });
  expect(Buffer.byteLength(`${first.data.text}${rest.data.text}`)).toBe(100_000);
  expect(rest.data.next_offset_bytes).toBeUndefined();
  const many = await agent.call('list_files', { sandbox_id, path: 'many' });
  expect([(many.data.entries as []).length, many.data.truncated]).toEqual([200, true]);
});

test.concurrent('an image is image content, and other bytes are refused with a way to look at them', async () => {
  await using agent = await overStdio();
  const { sandbox_id } = (await agent.call('create_sandbox', {})).data;
  await agent.call('write_file', { sandbox_id, path: 'pixel', content: PIXEL, encoding: 'base64' });
  const image = await agent.call('read_file', { sandbox_id, path: 'pixel' });
  expect(image.content).toEqual([{ type: 'image', mimeType: 'image/png', data: PIXEL }]);
  expect(image.data).toMatchObject({ mime_type: 'image/png' });
  const binary = await agent.call('read_file', { sandbox_id, path: '/bin/true' });
  expect(binary).toMatchObject({ isError: true, text: expect.stringContaining('xxd') });
  const refused = await agent.call('write_file', { sandbox_id, path: 'x', content: 'no base64!', encoding: 'base64' });
  expect(refused.isError).toBe(true);
});

test.concurrent('progress is told, and a call that is cancelled ends its command', async () => {
  await using agent = await overStdio();
  const { sandbox_id } = (await agent.call('create_sandbox', {})).data;
  const sandbox = await agent.drydock.sandboxes.connect(sandbox_id as string);
  const cancel = new AbortController();
  const messages: string[] = [];
  const call = agent.call(
    'run_command',
    { sandbox_id, command: 'for i in $(seq 100); do echo step $i; sleep 0.3; done' },
    {
      signal: cancel.signal,
      onprogress: ({ message }: { message?: string }) => {
        messages.push(message ?? '');
        if (messages.length === 3) cancel.abort(new Error('enough'));
      },
    },
  );
  await expect(call).rejects.toThrow(/enough/);
  expect(messages[0]).toMatch(/^step \d+$/);
  const running = async () => (await sandbox.commands.list()).filter((command) => command.running).length;
  for (const end = Date.now() + 20_000; (await running()) > 0; ) expect(Date.now()).toBeLessThan(end);
});

test.concurrent('a session that ends takes its sandboxes with it', async () => {
  await using agent = await overStdio();
  await agent.call('create_sandbox', {});
  await agent.call('create_sandbox', {});
  expect(await agent.running()).toBe(2);
  await agent.client.close();
  expect(await agent.running()).toBe(0);
});

test.concurrent('over HTTP the bearer is the key, and a session is that of its key alone', async () => {
  await using http = await startHttp();
  await using tenant = await openTenant();
  await using other = await openTenant();
  const post = (headers: Record<string, string>) => fetch(http.url, { method: 'POST', headers, body: '{}' });
  expect((await post({})).status).toBe(401);
  await expect(openClient(bearer(http.url, 'dk_wrong'))).rejects.toThrow();
  const transport = bearer(http.url, tenant.secret);
  await using agent = await openClient(transport);
  await agent.call('create_sandbox', {});
  const stolen = { 'mcp-session-id': transport.sessionId!, authorization: `Bearer ${other.secret}` };
  expect((await post(stolen)).status).toBe(404);
  const running = async () => (await tenant.drydock.sandboxes.list({ states: ['RUNNING'] }).toArray()).length;
  expect(await running()).toBe(1);
  await transport.terminateSession();
  for (const end = Date.now() + 20_000; (await running()) > 0; ) expect(Date.now()).toBeLessThan(end);
});

test.concurrent.each(MODES)(
  'a server over HTTP that ends takes the sandboxes of its sessions with it: %o',
  async (mode) => {
    await using http = await startHttp();
    await using tenant = await openTenant();
    await using agent = await openClient(bearer(http.url, tenant.secret), mode);
    const { sandbox_id } = (await agent.call('create_sandbox', {})).data;
    expect((await agent.call('run_command', { sandbox_id, command: 'echo hi' })).text).toBe('hi');
    expect(await http.stop()).toBe(0);
    expect(await tenant.drydock.sandboxes.list({ states: ['RUNNING'] }).toArray()).toEqual([]);
  },
);

test.concurrent('the example of an agent runs', async () => {
  await using tenant = await openTenant();
  await using directory = await temporaryDirectory();
  const env = environment(tenant.secret);
  const file = join(ROOT, 'libs/cli/examples/agent.ts');
  const path = `${join(DRYDOCK, '..')}:${env.PATH}`;
  const { stdout } = await promisify(execFile)(process.execPath, [file], {
    cwd: directory.path,
    env: { ...env, PATH: path },
  });
  expect(stdout).toMatch(
    /^7 tools\n[\s\S]*run_command: \[exit code 1\]\n[\s\S]*run_command: passed\nThe test passed\.\n$/,
  );
});
