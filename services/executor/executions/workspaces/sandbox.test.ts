import { expect, test, vi } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { createLogger } from '#libs/log.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Backend } from '../../backends/backend.ts';
import type { Sandboxes } from '../../sandboxes/sandboxes.ts';
import { openSandboxWorkspace } from './sandbox.ts';

test('a sandbox that ends while it keeps or renews a program says why, and a failed renewal is logged', async () => {
  const lifetime = new AbortController();
  const refuse = () => Promise.reject(new DrydockError('INTERNAL', 'refused'));
  const control = { keep: refuse, renew: refuse };
  const sandbox = { instance: { id: 'ins_1', link: { control } }, limits: {}, sandboxId: 'sbx_1', lifetime };
  const sandboxes = { claim: async () => sandbox } as unknown as Sandboxes;
  const log = createLogger('test');
  const warned = vi.spyOn(log, 'warn').mockReturnValue();
  const { signal } = new AbortController();
  const workspace = await openSandboxWorkspace({ sandboxes, backend: {} as Backend, log }, {} as SandboxSpec, signal);
  const ended = new DrydockError('SANDBOX_STOPPED', 'out of memory');
  lifetime.abort(ended);
  await expect(workspace.keep(signal)).rejects.toBe(ended);
  await expect(workspace.renew(signal)).rejects.toBe(ended);
  expect(warned.mock.calls).toEqual([
    [{ err: ended, instanceId: 'ins_1' }, expect.stringContaining('failed to renew')],
  ]);
});
