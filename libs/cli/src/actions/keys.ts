import type { ApiKey } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failures.ts';
import { type Column, state } from '../output.ts';

const COLUMNS: readonly Column<ApiKey>[] = [
  ['id', (key) => key.id],
  ['name', (key) => key.displayName],
  ['state', (key) => state(stateOf(key))],
  ['scopes', (key) => key.scopes.join(' ')],
  ['created', (key) => key.createTime],
  ['expires', (key) => key.expireTime],
];

function stateOf({ revokeTime, expireTime }: ApiKey): string {
  if (revokeTime) return 'REVOKED';
  return expireTime && expireTime < new Date() ? 'EXPIRED' : 'ACTIVE';
}

export async function list(context: Context, { limit }: { limit: number }): Promise<number> {
  const drydock = await context.connect();
  await context.output.many(drydock.apiKeys.list({ signal: context.signal }), COLUMNS, limit);
  return EXIT.ok;
}

export async function create(
  context: Context,
  name: string,
  { scope, expires }: { scope?: string[]; expires?: string },
): Promise<number> {
  const expireTime = expires === undefined ? undefined : new Date(expires);
  if (expireTime && Number.isNaN(expireTime.getTime()))
    throw new UsageError(`--expires is a time such as 2030-01-31T12:00:00Z, not '${expires}'.`);
  const drydock = await context.connect();
  const { apiKey, secret } = await drydock.apiKeys.create(name, {
    signal: context.signal,
    ...(scope ? { scopes: scope } : {}),
    ...(expireTime ? { expireTime } : {}),
  });
  await context.output.one({ ...apiKey, secret }, [...COLUMNS, ['secret', (key) => key.secret]]);
  return EXIT.ok;
}

export async function revoke(
  context: Context,
  id: string,
  { descendants = false }: { descendants?: boolean },
): Promise<number> {
  const drydock = await context.connect();
  await drydock.apiKeys.revoke(id, { descendants, signal: context.signal });
  return EXIT.ok;
}
