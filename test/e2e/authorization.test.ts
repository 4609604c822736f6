import { once } from 'node:events';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { connectGrpc, connectHttp } from '../support/api.ts';
import { pathWithGrpcurl } from '../support/transcript.ts';
import { connectWire, framed, httpRequest, refusalOf, type Wire } from '../support/wire.ts';
import { createOwner, type Ids, type Owner, UNKNOWN_IDS } from './authorization/belongings.ts';
import { keysWithOnly, keysWithout, WRONG, wrongCredentials } from './authorization/credentials.ts';
import { MADE_NAME } from './authorization/rows.ts';
import { descriptors, type Ending, METHODS, ROUTES, type Way } from './authorization/ways.ts';

const platform = inject('platform');
const onHttpPort = { ...platform, gatewayAddress: new URL(platform.httpUrl).host };
const TRANSPORTS = [
  { transport: 'gRPC', endpoints: platform, ways: METHODS },
  { transport: 'HTTP', endpoints: platform, ways: ROUTES },
  { transport: 'gRPC on the HTTP port', endpoints: onHttpPort, ways: METHODS },
];

type Wanted = { code: number; status: number; reason?: string };
const OK: Wanted = { code: 0, status: 200 };
const UNAUTHENTICATED: Wanted = { code: 16, status: 401, reason: 'CREDENTIAL_INVALID' };
const PERMISSION_DENIED: Wanted = { code: 7, status: 403, reason: 'SCOPE_MISSING' };
const NOT_FOUND: Wanted = { code: 5, status: 404 };

const REFLECTION = 'grpc.reflection.v1.ServerReflection';
/** Methods that are open to everybody, and a request of each. */
const OPEN = new Map([
  ['grpc.health.v1.Health/Check', Buffer.alloc(0)],
  ['grpc.health.v1.Health/Watch', Buffer.alloc(0)],
  // `list_services: "*"`
  [`${REFLECTION}/ServerReflectionInfo`, Buffer.from('3a012a', 'hex')],
]);
const UNIMPLEMENTED = 12;

const operator = connectGrpc(platform, platform.apiKey);
/** Whose ids the requests name: one for each transport, since in the end the requests succeed. */
let owners: Owner[];
let owner: Owner;
let stranger: Owner;
let wrong: Awaited<ReturnType<typeof wrongCredentials>>;
let without: Awaited<ReturnType<typeof keysWithout>>;
const total = { cells: 0, wrong: 0 };

beforeAll(async () => {
  owners = await Promise.all(TRANSPORTS.map(() => createOwner(platform)));
  stranger = await createOwner(platform);
  owner = owners[0]!;
  [wrong, without] = await Promise.all([wrongCredentials(platform, operator, owner), keysWithout(platform, owner)]);
});

afterAll(async () => {
  const { cells, wrong } = total;
  const counts = `${METHODS.length} methods, ${ROUTES.length} routes, ${cells} cells, ${wrong} wrong`;
  process.stdout.write(`authorization: ${counts}\n`);
  const { organizations } = await operator.auth.listOrganizations({ pageSize: 1000, pageToken: '' });
  const made = organizations.filter(({ displayName }) => displayName === MADE_NAME);
  for (const { id } of [...made, stranger.organization!])
    await operator.auth.deleteOrganization({ organizationId: id, requestId: '' });
  for (const each of [operator, stranger, ...owners]) each[Symbol.dispose]();
});

/** Counts a cell for each way, and fails with what is wrong in any. */
async function judge(ways: readonly Way[], faultOf: (way: Way) => Promise<string | undefined>): Promise<void> {
  expect(ways).not.toEqual([]);
  const faults = (await Promise.all(ways.map(faultOf))).filter((fault) => fault !== undefined);
  total.cells += ways.length;
  total.wrong += faults.length;
  expect(faults, faults.join('\n')).toEqual([]);
}

/** How a call ended, where that is not as wanted. */
function difference({ name }: Way, { code, status, reason, message }: Ending, wanted: Wanted): string | undefined {
  const isWanted =
    code === wanted.code && (status ?? wanted.status) === wanted.status && (wanted.reason ?? reason) === reason;
  return isWanted ? undefined : `${name}: ${code} ${status ?? ''} ${reason} ${message}`;
}

/** How a call ended that should be refused, whether it sends garbage or a right request: the caller is known before either is read. */
async function leak(wire: Wire, way: Way, ids: Ids, refusal: Wanted): Promise<string | undefined> {
  const request = way.request(ids);
  return (
    difference(way, await way.askGarbage(wire, request), refusal) ??
    difference(way, await way.ask(wire, request), refusal)
  );
}

describe.each(TRANSPORTS)('over $transport', ({ endpoints, ways }) => {
  test.each(WRONG)('%s: nothing is open', async (name) => {
    using wire = connectWire(endpoints, wrong[name]);
    await judge(ways, (way) => leak(wire, way, owner.ids, UNAUTHENTICATED));
  });

  describe.each(['sandboxes', 'executions', 'keys', 'operator'] as const)('without the scope %s', (scope) => {
    test.each(['key', 'token'] as const)('a %s does not open what needs it', async (kind) => {
      using wire = connectWire(endpoints, without[scope][kind]);
      await judge(
        ways.filter((way) => way.scope === scope),
        (way) => leak(wire, way, owner.ids, PERMISSION_DENIED),
      );
    });
  });

  test('another organisation’s ids are answered like ids that do not exist', async () => {
    using wire = connectWire(endpoints, stranger.secret);
    const naming = ways.filter(({ scope, idFields }) => scope !== 'operator' && idFields.length > 0);
    await judge(naming, async (way) => {
      const request = way.request(stranger.ids);
      for (const field of way.idFields) {
        const foreign = await way.ask(wire, { ...request, [field]: owner.ids[field] });
        const unknown = await way.ask(wire, { ...request, [field]: UNKNOWN_IDS[field] });
        const fault =
          difference(way, foreign, NOT_FOUND) ?? difference(way, unknown, { ...NOT_FOUND, reason: foreign.reason });
        if (fault) return `${field} of ${fault}`;
        const saidOfUnknown = unknown.message.replaceAll(UNKNOWN_IDS[field], owner.ids[field]);
        if (foreign.message !== saidOfUnknown)
          return `${field} of ${way.name}: '${foreign.message}', '${unknown.message}'`;
      }
      return undefined;
    });
  });
});

describe.each(TRANSPORTS.filter(({ ways }) => ways === METHODS))('over $transport', ({ endpoints }) => {
  /** Whether a method answers, or the code with which it refuses. */
  async function answers(wire: Wire, method: string, message = Buffer.alloc(0)): Promise<true | number> {
    const stream = wire.open(method);
    stream.end(framed(message));
    const refused = refusalOf(stream).then(({ code }) => code);
    const answered = once(stream, 'data').then(() => true as const);
    const first = await Promise.race([answered, refused]);
    stream.close();
    return first;
  }

  test('of the services that reflection names, health and reflection alone answer nobody', async () => {
    const env = { PATH: await pathWithGrpcurl() };
    const list = async (...args: string[]) => {
      const { stdout } = await execa('grpcurl', ['-plaintext', endpoints.gatewayAddress, 'list', ...args], { env });
      return stdout.split('\n');
    };
    const services = (await list()).filter((service) => service !== REFLECTION);
    const methods = (await Promise.all(services.map((service) => list(service)))).flat();
    const named = methods.map((method) => method.replace(/\.(?=\w+$)/, '/'));
    const closed = named.filter((method) => !OPEN.has(method));
    expect(closed.sort()).toEqual(METHODS.map(({ name }) => name).sort());
    using wire = connectWire(endpoints, undefined);
    for (const [method, message] of OPEN)
      expect([method, await answers(wire, method, message)]).toEqual([method, true]);
    for (const method of closed) expect([method, await answers(wire, method)]).toEqual([method, UNAUTHENTICATED.code]);
  });

  test('services that are not public are not there, whoever calls', async () => {
    const published = new Set(METHODS.map(({ name }) => name));
    const all = [...descriptors.registry].filter((each) => each.kind === 'service');
    const methods = all.flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`));
    const internal = methods.filter((method) => !published.has(method));
    expect(internal).toContain('drydock.internal.v1.CredentialService/AuthenticateApiKeys');
    for (const credential of [undefined, platform.apiKey]) {
      using wire = connectWire(endpoints, credential);
      for (const method of internal) expect([method, await answers(wire, method)]).toEqual([method, UNIMPLEMENTED]);
    }
  });
});

test('over HTTP, probes and the API’s description alone are open, and it has every route', async () => {
  type Description = { paths: Record<string, Record<string, { security?: [] }>> };
  const get = (path: string) => fetch(`${platform.httpUrl}${path}`);
  const { paths } = (await (await get('/openapi.json')).json()) as Description;
  const routes = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, { security }]) => ({ path, name: `${verb.toUpperCase()} ${path}`, security })),
  );
  const closed = routes.filter(({ security }) => !security).map(({ name }) => name);
  expect(closed.sort()).toEqual(ROUTES.map(({ name }) => name).sort());
  const open = routes.filter(({ security }) => security).map(({ path }) => path);
  expect(open.sort()).toEqual(['/healthz', '/openapi.json', '/readyz']);
  for (const path of open) expect((await get(path)).status).toBe(200);
});

test('lists hold nothing of another organisation', async () => {
  const theirs = connectHttp(platform, owner.secret);
  const lists = ROUTES.filter(
    ({ key, scope, idFields }) => key.startsWith('list') && scope !== 'operator' && idFields.length === 0,
  );
  const ownIds = Object.values(owner.ids);
  const namesThem = (body: unknown) => ownIds.some((id) => JSON.stringify(body).includes(id));
  const naming: string[] = [];
  await judge(lists, async ({ name, key, request }) => {
    const { verb, target } = httpRequest(name.split(' ') as [string, string], request(stranger.ids));
    if (namesThem((await theirs(verb, target)).body)) naming.push(key);
    const { status, body } = await stranger.http(verb, target);
    return status === 200 && !namesThem(body) ? undefined : `${name}: ${status} ${JSON.stringify(body)}`;
  });
  expect(naming.sort()).toEqual(['listApiKeys', 'listExecutions', 'listSandboxes', 'listTestSets', 'listWebhooks']);
});

// Last, since this ends what the ids name; that it is still there shows that no refused call has done anything.
test.each(TRANSPORTS.map((each, index) => ({ ...each, index })))(
  'over $transport, a key that has the right scope alone opens what needs it',
  async ({ endpoints, ways, index }) => {
    const { ids } = owners[index]!;
    const keys = await keysWithOnly(operator, owners[index]!);
    for (const way of ways) {
      using wire = connectWire(endpoints, keys[way.scope]);
      await judge([way], async () => difference(way, await way.ask(wire, way.request(ids)), OK));
    }
  },
);
