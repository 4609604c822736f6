import { expect } from 'vitest';
import { httpUrl, openSandbox, runModule, type Scenario, sdk } from '../fixture.ts';

const COUNT = 'for i in 0 1 2 3 4; do echo $i; sleep 0.1; done; echo end >&2; exit 3';

export const commands: Record<string, Scenario> = {
  async command() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    expect(await commands.run('echo $((6 * 7)) | cat')).toMatchObject({ stdout: '42\n', exitCode: 0, success: true });
    expect(await commands.run(['echo', '$HOME', 'a b'])).toMatchObject({ stdout: '$HOME a b\n' });
    const { durationMs, usage } = await commands.run('sleep 0.2');
    expect(durationMs).toBeGreaterThan(199);
    expect(usage).toMatchObject({ peakMemoryBytes: expect.any(Number) });
  },

  async 'command-fails'() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    const result = await commands.run('echo out; echo why >&2; exit 7');
    expect(result).toMatchObject({ stdout: 'out\n', stderr: 'why\n', exitCode: 7, signal: null, success: false });
    const error = await commands.run('echo why >&2; exit 7', { check: true }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.CommandExitError);
    expect(error).toMatchObject({ message: 'the command exited with code 7: why', result: { exitCode: 7 } });
    expect(await commands.run('kill -SEGV $$')).toMatchObject({ exitCode: null, signal: 'SIGSEGV', success: false });
  },

  async 'command-callbacks'() {
    await using tenant = await openSandbox();
    const heard: string[] = [];
    const onStdout = (text: string) => void heard.push(text);
    const onStderr = (text: string) => void heard.push(`! ${text}`);
    await tenant.sandbox.commands.run(COUNT, { onStdout, onStderr });
    expect(heard).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n', '! end\n']);
  },

  async 'command-events'() {
    await using tenant = await openSandbox();
    const handle = await tenant.sandbox.commands.start(['seq', '1', '100000']);
    let [text, offset] = ['', 0];
    for await (const event of handle) {
      if (event.type === 'stdout') {
        expect(event.offset).toBe(offset);
        offset += event.data.length;
        text += event.text;
      }
      if (event.type === 'exit') expect(event.result).toMatchObject({ exitCode: 0, stdout: text });
    }
    expect(text.split('\n').length).toBe(100_001);
    expect(await tenant.sandbox.commands.run(['seq', '1', '100000'], { keptBytes: 4 })).toMatchObject({
      stdout: '1\n2\n',
      truncated: true,
    });
  },

  async 'command-background'() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    const handle = await commands.run('sleep 60', { background: true });
    expect(await commands.list()).toMatchObject([{ id: handle.id, pid: handle.pid, running: true }]);
    expect(await handle.kill('SIGTERM')).toBe(true);
    expect(await handle.wait()).toMatchObject({ exitCode: null, signal: 'SIGTERM' });
    expect(await handle.kill()).toBe(false);
    await expect(handle.wait({ check: true })).rejects.toThrow(sdk.CommandExitError);
  },

  async 'command-input'() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    expect(await commands.run('tr a-z A-Z', { stdin: 'abc' })).toMatchObject({ stdout: 'ABC' });
    const handle = await commands.start(['cat'], { openStdin: true });
    await handle.stdin.write('one ');
    await handle.stdin.write(new TextEncoder().encode('two'));
    await handle.stdin.close();
    expect(await handle.wait()).toMatchObject({ stdout: 'one two', exitCode: 0 });
  },

  async 'command-environment'() {
    await using tenant = await openSandbox();
    const sandbox = await tenant.drydock.sandboxes.create('python', { environment: { A: '1', B: '1' } });
    const options = { environment: { B: '2' }, workingDirectory: '/tmp' };
    expect(await sandbox.commands.run('echo $A $B $PWD', options)).toMatchObject({ stdout: '1 2 /tmp\n' });
  },

  async 'command-timeout'() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    await expect(commands.run('sleep 60', { timeout: '300ms' })).rejects.toThrow(sdk.TimeoutError);
    expect(await commands.list()).toMatchObject([{ running: false, signal: 'SIGKILL' }]);
    if (!runModule) return;
    // A process ends by itself, though the timeout of its command is far away.
    const run = `await (await Sandbox.connect('${tenant.sandbox.id}')).commands.run('echo in time', { timeout: '1h' })`;
    const module = `import { Sandbox } from '@drydock/sdk'; console.log((${run}).stdout)`;
    expect(await runModule(module, { DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: tenant.secret })).toBe('in time');
  },

  async 'command-aborted'() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    const ending = new AbortController();
    const run = commands.run('echo up; sleep 60', {
      signal: ending.signal,
      onStdout: () => ending.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
    await expect.poll(() => commands.list()).toMatchObject([{ running: false }]);
    await expect(commands.run('true', { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
  },

  async 'command-joined'() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    const first = await commands.start(COUNT);
    for await (const event of first) if (event.type === 'stdout') break;
    const again = await commands.connect(first.id);
    expect(await again.wait()).toMatchObject({ stdout: '0\n1\n2\n3\n4\n', stderr: 'end\n', exitCode: 3 });
    const rest = await commands.connect(first.id, { offset: { stdout: 4, stderr: 0 } });
    expect(await rest.wait()).toMatchObject({ stdout: '2\n3\n4\n' });
    expect(await first.wait()).toMatchObject({ stdout: '0\n1\n2\n3\n4\n', exitCode: 3 });
    await expect(commands.connect('prc_01jv0000000000000000000000')).rejects.toThrow(sdk.NotFoundError);
  },

  async 'command-lost-output'() {
    await using tenant = await openSandbox();
    const { commands } = tenant.sandbox;
    const first = await commands.run(['head', '-c', '3000000', '/dev/zero'], { background: true });
    await first.wait();
    const late = await commands.connect(first.id, { offset: { stdout: 10, stderr: 0 } });
    const error = await late.wait().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.OutputLostError);
    expect((error as InstanceType<typeof sdk.OutputLostError>).lostBytes).toBeGreaterThan(1_000_000);
    const { stdout } = await (await commands.connect(first.id)).wait();
    expect(stdout.length).toBeGreaterThan(500_000);
  },

  async 'command-not-found'() {
    await using tenant = await openSandbox();
    const error = await tenant.sandbox.commands.run(['no-such-program']).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.InvalidArgumentError);
    expect(error).toMatchObject({ reason: 'COMMAND_NOT_FOUND' });
  },

  async terminal() {
    await using tenant = await openSandbox();
    let shown = '';
    const terminal = await tenant.sandbox.pty.create({
      rows: 24,
      columns: 80,
      onData: (data) => {
        shown += new TextDecoder().decode(data);
      },
    });
    await terminal.write('stty size\n');
    await expect.poll(() => shown).toContain('24 80');
    await terminal.resize({ rows: 50, columns: 120 });
    await terminal.write('stty size; exit 4\n');
    expect(await terminal.wait()).toMatchObject({ exitCode: 4 });
    expect(shown).toContain('50 120');
  },
};
