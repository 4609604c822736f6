import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { Descriptors } from '../descriptors.ts';
import type { Samples } from '../docs/samples.ts';
import type { ItemLimits } from '../message-limits.ts';
import { type Binding, isRaw } from './bindings.ts';
import { commentOf } from './comments.ts';
import { createSchemas, described, type Schema, type Schemas } from './openapi-schemas.ts';

const PROBES = 'Gateway';
const ERROR_RESPONSE = { $ref: '#/components/responses/Error' };

/** The HTTP API as OpenAPI 3.1, from the same descriptors and bindings that it is served from. */
export function openApiDocument(
  { registry }: Descriptors,
  limits: ItemLimits,
  bindings: readonly Binding[],
  samples: Samples,
): Schema {
  const schemas = createSchemas(limits);
  const paths: Record<string, Schema> = {};
  for (const binding of bindings) {
    const path = openApiPath(binding);
    paths[path] = { ...paths[path], [binding.verb.toLowerCase()]: operation(binding, schemas, bindings, samples) };
  }
  const services = [...new Set(bindings.map(({ descriptor }) => descriptor.parent))];
  return {
    openapi: '3.1.0',
    info: {
      title: 'Drydock',
      version: 'v1',
      description:
        'Runs untrusted code in sandboxes. Bodies are the proto3 JSON mapping of the messages of `drydock.v1`. ' +
        'The header `x-request-id` of each answer names the request in the logs of the platform. ' +
        'The same over gRPC: [gRPC API](/docs/grpc).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [
      ...services.map((service) => ({ name: service.name, ...described(commentOf(service)) })),
      { name: PROBES, description: 'The gateway itself, without a credential.' },
    ],
    paths: { ...paths, ...probes() },
    components: {
      schemas: { ...schemas.components, Status: statusSchema(reasons(registry.getEnum('drydock.v1.ErrorReason'))) },
      responses: {
        Error: {
          description: 'An error. `details` begin with a `google.rpc.ErrorInfo`, whose `reason` is stable.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Status' } } },
        },
      },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, or a token of `POST /v1/tokens:exchange`.',
        },
      },
    },
  };
}

function openApiPath({ template, descriptor }: Binding): string {
  return template.source.replaceAll(
    /\{([a-z0-9_.]+)(=[^}]*)?\}/g,
    (_, name) => `{${jsonPath(descriptor.input, name)}}`,
  );
}

function operation(binding: Binding, schemas: Schemas, all: readonly Binding[], samples: Samples): Schema {
  const { descriptor, method, template } = binding;
  const { input, parent, name } = descriptor;
  const comment = commentOf(descriptor);
  const same = all.filter((other) => other.descriptor === descriptor).indexOf(binding);
  const operationId = `${parent.name}_${name}${same > 0 ? `_${same + 1}` : ''}`;
  return {
    operationId,
    ...(samples[operationId] ? { 'x-codeSamples': samples[operationId] } : {}),
    tags: [parent.name],
    summary: comment.split(/\.(?: |$)/)[0]?.replaceAll('`', '') || name,
    description: [comment, method.scope === 'any' ? '' : `Scope: \`${method.scope}\`.`].filter(Boolean).join('\n\n'),
    parameters: [
      ...template.fields.map((field) => ({
        name: jsonPath(input, field),
        in: 'path',
        required: true,
        ...parameterOf(fieldAt(input, field), schemas),
      })),
      ...queryFields(binding).map(([name, field]) => ({ name, in: 'query', ...parameterOf(field, schemas) })),
    ],
    ...requestBody(binding, schemas),
    responses: {
      '200': { description: 'Success.', content: responseContent(binding, schemas) },
      default: ERROR_RESPONSE,
    },
  };
}

function parameterOf(field: DescField, schemas: Schemas): Schema {
  return { schema: schemas.ofField(field), ...described(commentOf(field)) };
}

function requestBody({ body, descriptor, template }: Binding, schemas: Schemas): { requestBody?: Schema } {
  if (!body) return {};
  if (isRaw(body))
    return {
      requestBody: { description: commentOf(body) || 'The bytes.', content: { 'application/octet-stream': {} } },
    };
  const schema =
    body === '*' ? schemas.ofMessageWithout(descriptor.input, new Set(template.fields)) : schemas.ofField(body);
  return { requestBody: { content: { 'application/json': { schema } } } };
}

function responseContent({ descriptor, method, responseBody }: Binding, schemas: Schemas): Schema {
  if (isRaw(responseBody)) return { 'application/octet-stream': {} };
  const schema = responseBody ? schemas.ofField(responseBody) : schemas.ofMessage(descriptor.output);
  if (!method.method.responseStream) return { 'application/json': { schema } };
  return { 'application/x-ndjson': { schema }, 'text/event-stream': { schema } };
}

/** Fields that the query may carry, nested ones by dots. */
function queryFields({ body, descriptor, template }: Binding): [name: string, field: DescField][] {
  if (body === '*') return [];
  const taken = new Set([...template.fields, ...(body ? [body.name] : [])]);
  return descriptor.input.fields.filter(({ name }) => !taken.has(name)).flatMap((field) => flattened(field, ''));
}

function flattened(field: DescField, prefix: string): [string, DescField][] {
  const name = prefix + field.jsonName;
  if (field.fieldKind === 'map') return [];
  if (field.fieldKind === 'message' && !field.message.typeName.startsWith('google.protobuf.'))
    return field.message.fields.flatMap((inner) => flattened(inner, `${name}.`));
  return [[name, field]];
}

function fieldAt(message: DescMessage, path: string): DescField {
  const [name, ...rest] = path.split('.');
  const field = message.fields.find((each) => each.name === name)!;
  return rest.length > 0 && field.fieldKind === 'message' ? fieldAt(field.message, rest.join('.')) : field;
}

function jsonPath(message: DescMessage, path: string): string {
  const [name = '', ...rest] = path.split('.');
  const field = fieldAt(message, name);
  return rest.length > 0 && field.fieldKind === 'message'
    ? `${field.jsonName}.${jsonPath(field.message, rest.join('.'))}`
    : field.jsonName;
}

function reasons(type: { values: { name: string; number: number }[] } | undefined): string[] {
  return type?.values.filter(({ number }) => number !== 0).map(({ name }) => name) ?? [];
}

function statusSchema(reasons: string[]): Schema {
  const detail = {
    type: 'object',
    required: ['@type'],
    properties: {
      '@type': { type: 'string' },
      reason: { type: 'string', enum: reasons, description: 'Of `google.rpc.ErrorInfo`.' },
      domain: { type: 'string', const: 'drydock' },
      metadata: { type: 'object', additionalProperties: { type: 'string' } },
      retryDelay: { type: 'string', description: 'Of `google.rpc.RetryInfo`; the `Retry-After` header says the same.' },
      fieldViolations: { type: 'array', items: violation('field'), description: 'Of `google.rpc.BadRequest`.' },
      violations: { type: 'array', items: violation('subject'), description: 'Of `google.rpc.QuotaFailure`.' },
    },
  };
  return {
    type: 'object',
    description: '`google.rpc.Status`.',
    required: ['code', 'message', 'details'],
    properties: {
      code: { type: 'integer', format: 'int32' },
      message: { type: 'string' },
      details: { type: 'array', items: detail },
    },
  };
}

function violation(key: string): Schema {
  return { type: 'object', properties: { [key]: { type: 'string' }, description: { type: 'string' } } };
}

function probes(): Record<string, Schema> {
  const probe = (operationId: string, summary: string, type: string, failing?: string): Schema => ({
    get: {
      operationId,
      summary,
      tags: [PROBES],
      security: [],
      responses: {
        '200': { description: 'Success.', content: { [type]: {} } },
        ...(failing ? { '503': { description: failing, content: { [type]: {} } } } : {}),
      },
    },
  });
  return {
    '/healthz': probe('healthz', 'Whether the process runs', 'text/plain'),
    '/readyz': probe(
      'readyz',
      'Whether calls can be answered',
      'text/plain',
      'A part of the platform does not answer.',
    ),
    '/openapi.json': probe('openapi', 'This document', 'application/json'),
  };
}
