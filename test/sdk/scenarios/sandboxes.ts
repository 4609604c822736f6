import { expect } from 'vitest';
import { httpUrl, openSandbox, openTenant, type Scenario, sdk } from '../fixture.ts';

const MiB = 1024 * 1024;

export const sandboxes: Record<string, Scenario> = {
  async 'sandbox-scope'() {
    await using tenant = await openTenant();
    let id: string;
    {
      await using sandbox = await tenant.drydock.sandboxes.create('python', { lifetime: '1m', limits: { cpus: 0.25 } });
      id = sandbox.id;
      expect(sandbox.info).toMatchObject({ state: 'RUNNING', template: 'python', limits: { cpus: 0.25 } });
    }
    expect(await tenant.drydock.sandboxes.get(id)).toMatchObject({ state: 'STOPPED', stopReason: 'DELETED' });
    {
      await using sandbox = await tenant.drydock.sandboxes.create('python', { keep: true });
      id = sandbox.id;
    }
    expect(await tenant.drydock.sandboxes.get(id)).toMatchObject({ state: 'RUNNING' });
  },

  async 'sandbox-connect'() {
    await using tenant = await openSandbox();
    await tenant.sandbox.files.write('kept', 'yes');
    const again = await tenant.drydock.sandboxes.connect(tenant.sandbox.id);
    expect(await again.files.read('kept')).toBe('yes');
    await tenant.sandbox.kill();
    await expect(tenant.drydock.sandboxes.connect(tenant.sandbox.id)).rejects.toThrow(sdk.SandboxNotRunningError);
    await expect(tenant.drydock.sandboxes.connect('sbx_01jv0000000000000000000000')).rejects.toThrow(sdk.NotFoundError);
  },

  async 'sandbox-list'() {
    await using tenant = await openTenant();
    const { sandboxes } = tenant.drydock;
    const [blue] = await Promise.all(
      ['blue', 'red'].map((colour) => sandboxes.create('python', { metadata: { colour } })),
    );
    const found = await sandboxes.list({ metadata: { colour: 'blue' }, states: ['RUNNING'] }).toArray();
    expect(found.map(({ id }) => id)).toEqual([blue!.id]);
    expect(await sandboxes.list().toArray()).toHaveLength(2);
  },

  async 'sandbox-update'() {
    await using tenant = await openSandbox();
    const { expireTime } = tenant.sandbox.info;
    const updated = await tenant.sandbox.update({ lifetime: '2h', metadata: { step: '2' } });
    expect(updated).toMatchObject({ metadata: { step: '2' } });
    expect(updated.expireTime!.getTime()).toBeGreaterThan(expireTime!.getTime() + 3_600_000);
  },

  async 'sandbox-gone'() {
    await using tenant = await openSandbox();
    const { sandbox } = tenant;
    expect(await sandbox.kill()).toBe(true);
    await expect(sandbox.commands.run('true')).rejects.toThrow(sdk.SandboxNotRunningError);
    await expect(sandbox.files.read('x')).rejects.toThrow(sdk.SandboxNotRunningError);
    expect(await sandbox.kill()).toBe(true);
    expect(await sandbox.getInfo()).toMatchObject({ state: 'STOPPED', stopReason: 'DELETED' });
  },

  async 'unknown-template'() {
    await using tenant = await openTenant();
    const error = await tenant.drydock.sandboxes.create('nope').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.NotFoundError);
    expect(error).toMatchObject({ reason: 'TEMPLATE_NOT_FOUND' });
  },

  async quota() {
    await using tenant = await openTenant({ quota: { concurrentSandboxes: 1 } });
    using patient = new sdk.Drydock({ url: httpUrl, apiKey: tenant.secret, maxRetries: 0 });
    await patient.sandboxes.create('python');
    await expect(patient.sandboxes.create('python')).rejects.toThrow(sdk.QuotaExceededError);
  },

  async 'files-text'() {
    await using tenant = await openSandbox();
    const { files } = tenant.sandbox;
    const text = 'ünï\u0000🙂';
    expect(await files.write('a/b/text', text, { mode: 0o600 })).toMatchObject({
      name: 'text',
      type: 'file',
      mode: 0o600,
    });
    expect(await files.read('a/b/text')).toBe(text);
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await files.write('bytes', bytes);
    expect(await files.read('bytes', { format: 'bytes' })).toEqual(bytes);
    expect(await files.read('bytes', { format: 'bytes', offsetBytes: 254, lengthBytes: 1 })).toEqual(
      Uint8Array.of(254),
    );
    await files.write('empty', '');
    expect(await files.read('empty')).toBe('');
    await files.writeFiles(Array.from({ length: 10 }, (_, i) => ({ path: `many/${i}`, content: `${i}` })));
    expect(await files.read('many/9')).toBe('9');
  },

  async 'files-stream'() {
    await using tenant = await openTenant();
    const limits = { memoryBytes: 256 * MiB, diskBytes: 64 * MiB, cpus: 2 };
    const sandbox = await tenant.drydock.sandboxes.create('python', { limits });
    async function* pieces() {
      for (let n = 0; n < 32; n++) yield new Uint8Array(MiB).fill(n);
    }
    expect(await sandbox.files.write('large', pieces())).toMatchObject({ sizeBytes: 32 * MiB });
    let [at, wrong] = [0, 0];
    for await (const piece of await sandbox.files.read('large', { format: 'stream' })) {
      if (piece[0] !== Math.floor(at / MiB)) wrong += 1;
      at += piece.length;
    }
    expect({ at, wrong }).toEqual({ at: 32 * MiB, wrong: 0 });
    // A reader that leaves ends the call.
    for await (const _ of await sandbox.files.read('large', { format: 'stream' })) break;
  },

  async 'files-tree'() {
    await using tenant = await openSandbox();
    const { files } = tenant.sandbox;
    await files.makeDir('src/deep');
    await files.write('src/one', '1');
    expect((await files.list('src').toArray()).map(({ name, type }) => [name, type])).toEqual([
      ['deep', 'directory'],
      ['one', 'file'],
    ]);
    expect(await files.rename('src/one', 'other/two')).toMatchObject({ path: expect.stringMatching(/other\/two$/) });
    expect([await files.exists('src/one'), await files.exists('other/two')]).toEqual([false, true]);
    await expect(files.remove('src')).rejects.toThrow(sdk.ConflictError);
    await files.remove('src', { recursive: true });
    expect(await files.exists('src')).toBe(false);
  },

  async 'files-missing'() {
    await using tenant = await openSandbox();
    const { files } = tenant.sandbox;
    for (const missing of [
      () => files.read('nope'),
      () => files.read('nope', { format: 'stream' }),
      () => files.getInfo('nope'),
      () => files.list('nope').toArray(),
      () => files.remove('nope'),
    ])
      await expect(missing()).rejects.toMatchObject({ name: 'NotFoundError', reason: 'FILE_NOT_FOUND' });
    await expect(files.write('/etc/passwd', 'x')).rejects.toThrow(sdk.PermissionDeniedError);
    await expect(files.read('/etc')).rejects.toThrow(sdk.ConflictError);
  },
};
