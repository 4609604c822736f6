import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { StatFileRequest } from '#proto/drydock/v1/file.ts';
import { readContract } from './contract.ts';
import { readDescriptors } from './descriptors.ts';
import { createForwarding } from './forwarding.ts';
import { PUBLIC_METHODS } from './owners.ts';
import { watchSandboxRoutes } from './sandbox-routes.ts';

const statFile = PUBLIC_METHODS.find(({ key }) => key === 'statFile')!;
const contract = readContract(readDescriptors(readFileSync('.build/descriptors.binpb')));
const origin = { caller: Caller.create({ organizationId: 'org_1' }), signal: new AbortController().signal };
const addresses = { auth: '', session: '', scheduler: '' };

/** A gateway between session, which says `sandbox.at`, and executors, each of which answers as it is given here. */
function between(sandbox: { at: string | Error }, executors: Record<string, () => Promise<unknown>>) {
  const getRoute = async () => {
    if (sandbox.at instanceof Error) throw sandbox.at;
    return { executorId: sandbox.at };
  };
  const routes = watchSandboxRoutes({ getRoute }, { subscribe: () => ({ [Symbol.dispose]() {} }) });
  const directory = { addressOf: async (id: string) => (id in executors ? id : undefined) };
  const connections = { to: (_: string, address: string) => ({ statFile: executors[address]! }) as never };
  const forward = createForwarding({ contract, connections, addresses, directory, routes });
  const request = StatFileRequest.encode({ sandboxId: 's', path: 'a' }).finish();
  return () => forward(statFile, request, origin);
}

const refusing = (reason: 'SANDBOX_NOT_FOUND' | 'SERVICE_UNAVAILABLE') => async () => {
  throw new DrydockError(reason, 'said the executor');
};
const tryAgain = { reason: 'SERVICE_UNAVAILABLE', details: { retryAfterMs: 1_000 } };

test.each<[string, Record<string, () => Promise<unknown>>]>([
  ['is not heard of any more', {}],
  ['cannot be reached', { one: refusing('SERVICE_UNAVAILABLE') }],
])('where an executor %s, the next call asks session and reaches its heir', async (_, executors) => {
  const sandbox = { at: 'one' };
  const call = between(sandbox, { ...executors, two: async () => 'answer' });
  await expect(call()).rejects.toMatchObject(tryAgain);
  sandbox.at = 'two';
  expect(await call()).toBe('answer');
});

test('an executor that holds a sandbox no more has given it to another one, which the next call reaches', async () => {
  const sandbox = { at: 'one' };
  const call = between(sandbox, {
    async one() {
      sandbox.at = 'two';
      throw new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');
    },
    two: async () => 'answer',
  });
  await expect(call()).rejects.toMatchObject(tryAgain);
  expect(await call()).toBe('answer');
});

test('an executor that holds a sandbox no more, though session knows of no other, has just stopped it', async () => {
  const call = between({ at: 'one' }, { one: refusing('SANDBOX_NOT_FOUND') });
  await expect(call()).rejects.toMatchObject({ reason: 'SANDBOX_STOPPED' });
});

test('what an executor says it does not hold is not called stopped while session cannot tell', async () => {
  const sandbox: { at: string | Error } = { at: 'one' };
  const call = between(sandbox, {
    async one() {
      sandbox.at = new DrydockError('SERVICE_UNAVAILABLE', 'session is away');
      throw new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');
    },
  });
  await expect(call()).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});
