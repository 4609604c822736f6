import { expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import type { Events } from '#libs/nats/events.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import { watchSandboxRoutes } from './sandbox-routes.ts';

const caller = Caller.create({ organizationId: 'org_1' });

/** Routes over a session that says `sandboxes.at`, with what it was asked and a way to tell of changes. */
function routesOver(sandboxes: { at: string | Error }) {
  const asked: string[] = [];
  const getRoute = async ({ sandboxId }: { sandboxId: string }) => {
    asked.push(sandboxId);
    if (sandboxes.at instanceof Error) throw sandboxes.at;
    return { executorId: sandboxes.at };
  };
  let handle = (_event: SandboxChanged): unknown => undefined;
  const subscribe: Events['subscribe'] = (_, handler) => {
    handle = handler as typeof handle;
    return { [Symbol.dispose]() {} };
  };
  const tell = (fields: Partial<SandboxChanged>) =>
    handle(SandboxChanged.create({ organizationId: 'org_1', ...fields }));
  return { routes: watchSandboxRoutes({ getRoute }, { subscribe }), asked, tell };
}

test('a route is asked for once, and again when the sandbox has stopped', async () => {
  const { routes, asked, tell } = routesOver({ at: 'one' });
  expect([await routes.find(caller, 's'), await routes.find(caller, 's')]).toEqual(['one', 'one']);
  expect(asked).toEqual(['s']);
  tell({ sandboxId: 's', executorId: 'one', state: 'STOPPED' });
  await routes.find(caller, 's');
  expect(asked).toEqual(['s', 's']);
});

test('a sandbox that another executor took over is found there, without asking', async () => {
  const { routes, asked, tell } = routesOver({ at: 'one' });
  await routes.find(caller, 's');
  tell({ sandboxId: 's', executorId: 'two', state: 'RUNNING' });
  expect(await routes.find(caller, 's')).toBe('two');
  expect(asked).toEqual(['s']);
});

test('events of sandboxes that no caller asked for are not kept, nor those of another organisation', async () => {
  const { routes, asked, tell } = routesOver({ at: 'one' });
  tell({ sandboxId: 's', executorId: 'two', state: 'RUNNING' });
  expect(await routes.find(caller, 's')).toBe('one');
  tell({ sandboxId: 's', organizationId: 'org_2', executorId: 'two', state: 'RUNNING' });
  expect(await routes.find(caller, 's')).toBe('one');
  expect(asked).toEqual(['s']);
});

test('of a route in doubt session is asked, and while it is away the route still leads there', async () => {
  const sandboxes: { at: string | Error } = { at: 'one' };
  const { routes, asked } = routesOver(sandboxes);
  await routes.find(caller, 's');
  sandboxes.at = new DrydockError('SERVICE_UNAVAILABLE', 'no answer');
  routes.doubt(caller, 's');
  expect(await routes.find(caller, 's')).toBe('one');
  sandboxes.at = 'two';
  expect([await routes.find(caller, 's'), await routes.find(caller, 's')]).toEqual(['two', 'two']);
  expect(asked).toEqual(['s', 's', 's']);
  sandboxes.at = new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');
  routes.doubt(caller, 's');
  await expect(routes.find(caller, 's')).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});
