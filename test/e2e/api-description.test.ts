import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { execa } from 'execa';
import { describe, expect, inject, test } from 'vitest';
import { pathWithGrpcurl } from '../support/transcript.ts';

const platform = inject('platform');

type Parameter = { name: string; in: string };
type Operation = { operationId: string; parameters?: Parameter[]; requestBody?: { content: object }; security?: [] };
type Document = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
};

const document = (await (await fetch(`${platform.httpUrl}/openapi.json`)).json()) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(
    ([verb, operation]) => [operation.operationId, verb.toUpperCase(), path, operation] as const,
  ),
);

// Well-formed, of the newest version, and nobody's.
const IDS: Record<string, string> = {
  sandboxId: 'sbx_01jv0000000000000000000000',
  executionId: 'exe_01jv0000000000000000000000',
  processId: 'prc_01jv0000000000000000000000',
  organizationId: 'org_01jv0000000000000000000000',
  apiKeyId: 'key_01jv0000000000000000000000',
  templateId: 'nope',
  sha256: '0'.repeat(64),
  testSetId: 'tst_01jv0000000000000000000000',
  path: 'some/file.txt',
};
const targetOf = (path: string) => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => IDS[name] ?? `no-id-for-${name}`);

/** The target goes as it is, and a body only where the operation has one. */
async function call(verb: string, target: string, body?: string, credential = platform.apiKey) {
  const headers = {
    ...(credential ? { authorization: `Bearer ${credential}` } : {}),
    ...(body === undefined ? {} : { 'content-length': body.length }),
  };
  const url = new URL(platform.httpUrl);
  const sent = request({ host: url.hostname, port: url.port, method: verb, path: target, headers });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const type = response.headers['content-type'] ?? '';
  const answer = await text(response);
  return { status: response.statusCode!, headers: response.headers, body: type.includes('json') && JSON.parse(answer) };
}

describe('openapi.json', () => {
  test('is OpenAPI', async () => {
    const { valid, errors } = await new Validator().validate(document);
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  });

  test('names every operation once', () => {
    const names = operations.map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(25);
  });

  const isStatus = new Ajv({ strict: false }).compile(document.components.schemas.Status!);

  test.each(operations)('%s is served: %s %s', async (_, verb, path, { requestBody }) => {
    const { status, body } = await call(verb, targetOf(path), requestBody && '{}');
    expect([405, 500, 501]).not.toContain(status);
    expect(status === 404 && body.details[0].reason).not.toBe('ROUTE_NOT_FOUND');
    if (status >= 400) expect(isStatus(body), JSON.stringify(isStatus.errors)).toBe(true);
  });

  test.each(operations.filter(([, , , { security }]) => !security))(
    '%s wants a credential: %s %s',
    async (_, verb, path, { requestBody }) => {
      const { status, headers, body } = await call(verb, targetOf(path), requestBody && '{}', '');
      expect({ status, reason: body.details[0].reason }).toEqual({ status: 401, reason: 'CREDENTIAL_INVALID' });
      expect(headers['www-authenticate']).toMatch(/^Bearer/);
      expect(isStatus(body), JSON.stringify(isStatus.errors)).toBe(true);
    },
  );

  test.each(Object.entries(document.paths))('%s allows what it names, and nothing else', async (path, methods) => {
    // A path of any depth takes what ends in a verb for a file of that name.
    const overlapping = path.includes('{path}:') ? document.paths['/v1/sandboxes/{sandboxId}/files/{path}'] : {};
    const allowed = Object.keys({ ...methods, ...overlapping }).map((verb) => verb.toUpperCase());
    for (const verb of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((verb) => !allowed.includes(verb))) {
      const { status, headers, body } = await call(verb, targetOf(path), verb === 'GET' ? undefined : '{}');
      expect(status, `${verb} ${path}`).toBe(405);
      expect(headers.allow?.split(', ').sort()).toEqual(allowed.sort());
      expect(isStatus(body), JSON.stringify(isStatus.errors)).toBe(true);
    }
  });
});

describe('without a credential, over gRPC', async () => {
  const env = { PATH: await pathWithGrpcurl() };
  const grpcurl = (...args: string[]) => execa('grpcurl', ['-plaintext', ...args], { env, reject: false });
  const PUBLIC = [
    'AuthService',
    'BlobService',
    'ExecutionService',
    'FileService',
    'ProcessService',
    'SandboxService',
    'TemplateService',
    'TestSetService',
    'WebhookService',
  ];

  test('reflection lists the public services and no other', async () => {
    const { stdout } = await grpcurl(platform.gatewayAddress, 'list');
    const expected = [...PUBLIC.map((name) => `drydock.v1.${name}`), 'grpc.health.v1.Health'];
    expect(
      stdout
        .split('\n')
        .filter((name) => !name.startsWith('grpc.reflection.'))
        .sort(),
    ).toEqual(expected.sort());
  });

  test.each(PUBLIC)('reflection resolves %s, with every message that it takes', async (name) => {
    const { stdout } = await grpcurl(platform.gatewayAddress, 'describe', `drydock.v1.${name}`);
    const types = [...stdout.matchAll(/[( ]\.(drydock\.v1\.\w+)/g)].map(([, type]) => type!);
    expect(types.length).toBeGreaterThan(5);
    const described = await grpcurl(platform.gatewayAddress, 'describe', types[0]!);
    expect(described.stdout).toContain(`message ${types[0]!.split('.').at(-1)}`);
  });

  test.each(['drydock.internal.v1.RecordService', 'drydock.internal.v1.Caller', 'drydock.agent.v1.ControlService'])(
    'reflection knows nothing of %s',
    async (name) => {
      const { exitCode, stderr } = await grpcurl(platform.gatewayAddress, 'describe', name);
      expect(exitCode).not.toBe(0);
      expect(stderr).toMatch(/not found|does not exist|failed to resolve/i);
    },
  );

  test.each(['', ...PUBLIC.map((name) => `drydock.v1.${name}`)])("health of '%s' is SERVING", async (service) => {
    const { stdout } = await grpcurl(
      '-d',
      JSON.stringify({ service }),
      platform.gatewayAddress,
      'grpc.health.v1.Health/Check',
    );
    expect(JSON.parse(stdout)).toEqual({ status: 'SERVING' });
  });

  test('anything else wants a credential', async () => {
    const { stderr } = await grpcurl(platform.gatewayAddress, 'drydock.v1.TemplateService/ListTemplates');
    expect(stderr).toContain('Unauthenticated');
  });
});
