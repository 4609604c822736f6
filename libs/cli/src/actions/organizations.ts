import type { Organization, QuotaOptions } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failures.ts';
import type { Column } from '../output.ts';

type QuotaFlags = {
  concurrentSandboxes?: number;
  concurrentExecutions?: number;
  queuedExecutions?: number;
  queueWeight?: number;
};

const COLUMNS: readonly Column<Organization>[] = [
  ['id', (organization) => organization.id],
  ['name', (organization) => organization.displayName],
  ['sandboxes', ({ quota }) => quota?.concurrentSandboxes],
  ['executions', ({ quota }) => quota?.concurrentExecutions],
  ['queued', ({ quota }) => quota?.queuedExecutions],
  ['weight', ({ quota }) => quota?.queueWeight],
  ['created', (organization) => organization.createTime],
];

function toQuota(flags: QuotaFlags): { quota?: QuotaOptions } {
  const names = ['concurrentSandboxes', 'concurrentExecutions', 'queuedExecutions', 'queueWeight'] as const;
  const given = names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]);
  return given.length > 0 ? { quota: Object.fromEntries(given) } : {};
}

export async function list(context: Context, { limit }: { limit: number }): Promise<number> {
  const drydock = await context.connect();
  await context.output.many(drydock.organizations.list({ signal: context.signal }), COLUMNS, limit);
  return EXIT.ok;
}

export async function get(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  await context.output.one(await drydock.organizations.get(id, { signal: context.signal }), COLUMNS);
  return EXIT.ok;
}

export async function create(context: Context, name: string, flags: QuotaFlags): Promise<number> {
  const drydock = await context.connect();
  const { organization, secret } = await drydock.organizations.create(name, {
    ...toQuota(flags),
    signal: context.signal,
  });
  await context.output.one({ ...organization, secret }, [...COLUMNS, ['secret', (made) => made.secret]]);
  return EXIT.ok;
}

export async function update(
  context: Context,
  id: string,
  { name, ...flags }: QuotaFlags & { name?: string },
): Promise<number> {
  const changes = { ...(name === undefined ? {} : { displayName: name }), ...toQuota(flags) };
  if (Object.keys(changes).length === 0) throw new UsageError(`Say what to change: '--help' lists it.`);
  const drydock = await context.connect();
  await context.output.one(await drydock.organizations.update(id, { ...changes, signal: context.signal }), COLUMNS);
  return EXIT.ok;
}

export async function remove(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  await drydock.organizations.delete(id, { signal: context.signal });
  return EXIT.ok;
}
