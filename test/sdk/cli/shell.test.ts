import { expect, test } from 'vitest';
import { openSandbox, openTenant } from '../fixture.ts';
import { drydock, environment, openTerminal } from './fixture.ts';

test.concurrent('a shell has the size of the terminal, and its exit code', async () => {
  await using tenant = await openSandbox();
  const env = environment(tenant.secret);
  await using terminal = openTerminal(['shell', tenant.sandbox.id], { env, columns: 100, rows: 30 });
  await terminal.showing('$');
  terminal.type('stty size\r');
  await terminal.showing('30 100');
  terminal.type('exit 5\r');
  expect(await terminal.ended).toBe(5);
});

test.concurrent('a terminal that is resized is so in the sandbox', async () => {
  await using tenant = await openSandbox();
  const env = environment(tenant.secret);
  const command = ['sh', '-c', 'while stty size; do sleep 0.2; done'];
  await using terminal = openTerminal(['shell', tenant.sandbox.id, '--', ...command], { env, columns: 100, rows: 30 });
  await terminal.showing('30 100');
  terminal.resize({ columns: 60, rows: 20 });
  await terminal.showing('20 60');
  terminal.type('\x03');
  expect(await terminal.ended).toBe(130);
});

test.concurrent('Ctrl-C is a key of the program', async () => {
  await using tenant = await openSandbox();
  await using terminal = openTerminal(['shell', tenant.sandbox.id], { env: environment(tenant.secret) });
  await terminal.showing('$');
  terminal.type('sleep 100; echo after:$?\r');
  await terminal.showing('sleep 100');
  terminal.type('\x03');
  terminal.type('echo still $((40 + 2))\r');
  await terminal.showing('still 42');
  terminal.type('exit\r');
  await terminal.ended;
});

test.concurrent('a shell that was left by Ctrl-P Ctrl-Q runs on, and is joined again', async () => {
  await using tenant = await openSandbox();
  const env = environment(tenant.secret);
  const { id } = tenant.sandbox;
  await using first = openTerminal(['shell', id], { env });
  await first.showing('$');
  first.type('name=drydock; echo set-$((1 + 1))\r');
  await first.showing('set-2');
  first.type('\x10\x11');
  await first.showing('--join');
  expect(await first.ended).toBe(0);
  await using second = openTerminal(['shell', id, '--join'], { env });
  await second.showing('set-2');
  second.type('echo hello-$name\r');
  await second.showing('hello-drydock');
  second.type('exit 3\r');
  expect(await second.ended).toBe(3);
});

test.concurrent('a sandbox that was made for a shell is deleted with it, and kept when the shell is left', async () => {
  await using tenant = await openTenant();
  const env = environment(tenant.secret);
  const running = async () => (await tenant.drydock.sandboxes.list({ states: ['RUNNING'] }).toArray()).length;
  await using first = openTerminal(['shell', '--template', 'python'], { env });
  await first.showing('$');
  expect(await running()).toBe(1);
  first.type('exit\r');
  expect(await first.ended).toBe(0);
  expect(await running()).toBe(0);
  await using second = openTerminal(['shell', '--template', 'python', '--', 'cat'], { env });
  second.type('typed\r');
  await second.showing(/typed\s+typed/);
  second.type('\x10\x11');
  expect(await second.ended).toBe(0);
  expect(await running()).toBe(1);
});

test.concurrent('a shell whose terminal is closed deletes the sandbox that was made for it', async () => {
  await using tenant = await openTenant();
  const terminal = openTerminal(['shell', '--template', 'python'], { env: environment(tenant.secret) });
  await terminal.showing('$');
  terminal.hangUp();
  await terminal.ended;
  expect(await tenant.drydock.sandboxes.list({ states: ['RUNNING'] }).toArray()).toEqual([]);
});

test.concurrent('without a terminal a shell says what to do', async () => {
  await using tenant = await openTenant();
  const ran = await drydock(['shell', '--template', 'python'], { env: environment(tenant.secret) });
  expect(ran).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/terminal[\s\S]*drydock exec/) });
});
