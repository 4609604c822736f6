import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { expect, vi } from 'vitest';
import type { Scope } from '../../../services/gateway/owners.ts';
import { type connectGrpc, connectHttp, type Endpoints } from '../../support/api.ts';
import { createTenant, type Tenant } from '../../support/tenants.ts';
import type { Credential } from '../../support/wire.ts';

/** Longer than it takes to use a key that ends by then. */
const SHORT_MS = 5_000;
/** Longer than the matrix takes. */
const OPERATOR_MS = 600_000;
const SCOPES = ['sandboxes', 'executions', 'keys'] as const;

export const WRONG = [
  'nobody',
  'an empty credential',
  'garbage',
  'a key that does not exist',
  'a token signed by another',
  'a token signed by none',
  'a token with other claims',
  'an expired key',
  'the token of an expired key',
  'a revoked key',
  'the token of a revoked key',
  'the key of a deleted organisation',
  'the token of a deleted organisation',
  'a right key and a wrong one',
  'a wrong key and a right one',
  'a right key twice',
] as const;

type Platform = Endpoints & { apiKey: string };
type Api = ReturnType<typeof connectGrpc>;
/** A key, and a token that stands for it. */
type Pair = { key: string; token: string };

/** Credentials that nobody may do anything with; those that were the tenant's have opened something before. Of two at once, one or both are right. */
export async function wrongCredentials(
  platform: Platform,
  operator: Api,
  { api }: Tenant,
): Promise<Record<(typeof WRONG)[number], Credential>> {
  const status = async (credential: string) => (await connectHttp(platform, credential)('GET', '/v1/languages')).status;
  const make = async (expireTime?: Date) => {
    const { apiKey, secret } = await createKey(api, [...SCOPES], expireTime);
    return { id: apiKey!.id, ...(await pairOf(platform, secret)) };
  };
  using deleted = await createTenant(platform);
  const [live, expired, revoked, ended] = await Promise.all([
    make(),
    make(new Date(Date.now() + SHORT_MS)),
    make(),
    pairOf(platform, deleted.secret),
  ]);
  const once = [expired, revoked, ended].flatMap(({ key, token }) => [key, token]);
  expect(await Promise.all(once.map(status))).toEqual(once.map(() => 200));
  await api.auth.revokeApiKey({ apiKeyId: revoked.id, revokeDescendants: false });
  await operator.auth.deleteOrganization({ organizationId: deleted.organization!.id, requestId: '' });
  await vi.waitFor(async () => expect(await Promise.all(once.map(status))).toEqual(once.map(() => 401)), 2 * SHORT_MS);
  return {
    nobody: undefined,
    'an empty credential': '',
    garbage: 'garbage',
    'a key that does not exist': `dk_${'A'.repeat(43)}`,
    ...(await forged(live.token)),
    'an expired key': expired.key,
    'the token of an expired key': expired.token,
    'a revoked key': revoked.key,
    'the token of a revoked key': revoked.token,
    'the key of a deleted organisation': ended.key,
    'the token of a deleted organisation': ended.token,
    'a right key and a wrong one': [live.key, revoked.key],
    'a wrong key and a right one': [revoked.key, live.key],
    'a right key twice': [live.key, live.key],
  };
}

/** Of a key for each scope, with this one alone; `any` scope is enough for the last. */
export async function keysWithOnly(operator: Api, { api }: Tenant): Promise<Record<Scope, string>> {
  const until = new Date(Date.now() + OPERATOR_MS);
  const [sandboxes, executions, keys, operating] = await Promise.all([
    ...SCOPES.map((scope) => createKey(api, [scope])),
    createKey(operator, ['operator'], until),
  ]);
  return {
    sandboxes: sandboxes!.secret,
    executions: executions!.secret,
    keys: keys!.secret,
    operator: operating!.secret,
    any: keys!.secret,
  };
}

/** Of a key and a token for each scope, with every one that a tenant may have but this. */
export async function keysWithout(
  platform: Platform,
  { api, secret }: Tenant,
): Promise<Record<Exclude<Scope, 'any'>, Pair>> {
  const without = async (scope: string) => {
    const others = SCOPES.filter((other) => other !== scope);
    return pairOf(platform, (await createKey(api, others)).secret);
  };
  const [sandboxes, executions, keys] = await Promise.all(SCOPES.map(without));
  return { sandboxes: sandboxes!, executions: executions!, keys: keys!, operator: await pairOf(platform, secret) };
}

function createKey(api: Api, scopes: string[], expireTime?: Date) {
  return api.auth.createApiKey({ displayName: 'of the matrix', scopes, requestId: '', expireTime });
}

async function pairOf(platform: Platform, key: string): Promise<Pair> {
  return { key, token: (await connectHttp(platform, key)('POST', '/v1/tokens:exchange', {})).body.token };
}

/** Tokens with the claims and the header of a right one. */
async function forged(token: string) {
  const claims = decodeJwt(token);
  const header = { ...decodeProtectedHeader(token), alg: 'EdDSA' };
  const { privateKey } = await generateKeyPair('EdDSA');
  const [head, , signature] = token.split('.');
  const raised = { ...claims, scopes: [...SCOPES, 'operator'] };
  return {
    'a token signed by another': await new SignJWT(claims).setProtectedHeader(header).sign(privateKey),
    'a token signed by none': new UnsecuredJWT(claims).encode(),
    'a token with other claims': [head, Buffer.from(JSON.stringify(raised)).toString('base64url'), signature].join('.'),
  };
}
