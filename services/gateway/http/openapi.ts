import { type DescEnum, type DescField, type DescMessage, type FileRegistry, ScalarType } from '@bufbuild/protobuf';
import { getComments } from './comments.ts';
import { type Binding, readBindings } from './bindings.ts';
import type { Definition } from '#libs/grpc/rpc.ts';

type Schema = Record<string, unknown>;

const ERROR: Schema = {
  description: 'google.rpc.Status: `details` begins with an ErrorInfo, whose `reason` is stable.',
  type: 'object',
  properties: {
    code: { type: 'integer', description: 'A value of google.rpc.Code.' },
    message: { type: 'string' },
    details: { type: 'array', items: { type: 'object', properties: { '@type': { type: 'string' } } } },
  },
};

/**
 * The public API as OpenAPI 3.1, from the same descriptors as the routes themselves: plugins that write it know neither
 * raw bodies nor streams of lines.
 */
export function describeApi(registry: FileRegistry, definitions: Definition[]): object {
  const schemas: Record<string, Schema> = { Status: ERROR };
  const paths: Record<string, Record<string, Schema>> = {
    '/healthz': { get: probe('healthz', 'Whether the gateway is alive.') },
    '/readyz': { get: probe('readyz', 'Whether the gateway can do its work.') },
    '/openapi.json': { get: probe('openapi', 'This document.', 'application/json') },
  };
  const used = new Map<string, number>();
  for (const binding of readBindings(registry, definitions)) {
    const id = `${binding.definition.fullName.split('.').at(-1)}_${binding.method.name}`;
    const count = used.get(id) ?? 0;
    used.set(id, count + 1);
    const path = binding.path.replaceAll('=**', '');
    paths[path] ??= {};
    paths[path][binding.verb.toLowerCase()] = operation(binding, count ? `${id}_${count + 1}` : id, schemas);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Drydock', version: 'v1', description: 'Runs untrusted code for many tenants, safely and fast.' },
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'An API key (`dk_…`) or a token.' } },
    },
  };
}

function probe(operationId: string, summary: string, type = 'text/plain'): Schema {
  return { operationId, summary, security: [], responses: { 200: { description: 'Yes.', content: { [type]: {} } } } };
}

function operation(binding: Binding, operationId: string, schemas: Record<string, Schema>): Schema {
  const { method, jsonBody, rawRequest } = binding;
  const inPath = [...binding.path.matchAll(/\{([a-z_]+)/g)].map(([, name]) => name);
  const fields = method.input.fields.filter((field) => !inPath.includes(field.name));
  const inQuery = jsonBody ? [] : fields.filter((field) => field !== rawRequest);
  return {
    operationId,
    tags: [binding.definition.fullName.split('.').at(-1)],
    description: getComments(method),
    parameters: [
      ...method.input.fields
        .filter((field) => inPath.includes(field.name))
        .map((field) => parameter(field, 'path', schemas, field.name)),
      ...inQuery.map((field) => parameter(field, 'query', schemas, field.jsonName)),
    ],
    ...(jsonBody ? { requestBody: content('application/json', objectOf(method.input, fields, schemas)) } : {}),
    ...(rawRequest ? { requestBody: content('application/octet-stream', {}) } : {}),
    responses: {
      200: { description: 'Done.', ...responseContent(binding, schemas) },
      default: { description: 'It failed.', ...content('application/json', { $ref: '#/components/schemas/Status' }) },
    },
  };
}

function responseContent({ method, rawResponse, responseField }: Binding, schemas: Record<string, Schema>): Schema {
  if (rawResponse) return content('application/octet-stream', {});
  const schema = responseField ? fieldSchema(responseField, schemas) : reference(method.output, schemas);
  if (method.methodKind !== 'server_streaming') return content('application/json', schema);
  return { content: { 'application/x-ndjson': { schema }, 'text/event-stream': { schema } } };
}

function content(type: string, schema: Schema): Schema {
  return { content: { [type]: { schema } } };
}

function parameter(field: DescField, place: 'path' | 'query', schemas: Record<string, Schema>, name: string): Schema {
  return { name, in: place, required: place === 'path', description: getComments(field), schema: fieldSchema(field, schemas) };
}

function reference(message: DescMessage, schemas: Record<string, Schema>): Schema {
  const name = message.typeName.replace('drydock.v1.', '').replaceAll('.', '_');
  if (!schemas[name]) {
    schemas[name] = {};
    Object.assign(schemas[name], objectOf(message, message.fields, schemas));
  }
  return { $ref: `#/components/schemas/${name}` };
}

function objectOf(message: DescMessage, fields: DescField[], schemas: Record<string, Schema>): Schema {
  const properties = fields.map((field) => {
    const description = getComments(field);
    return [field.jsonName, { ...fieldSchema(field, schemas), ...(description ? { description } : {}) }];
  });
  const description = getComments(message);
  return { type: 'object', ...(description ? { description } : {}), properties: Object.fromEntries(properties) };
}

function fieldSchema(field: DescField, schemas: Record<string, Schema>): Schema {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarSchema(field.scalar);
    case 'enum':
      return enumSchema(field.enum);
    case 'message':
      return messageSchema(field.message, schemas);
    case 'list':
      return { type: 'array', items: elementSchema(field, schemas) };
    case 'map':
      return { type: 'object', additionalProperties: elementSchema({ ...field, listKind: field.mapKind } as never, schemas) };
  }
}

function elementSchema(field: DescField & { fieldKind: 'list' }, schemas: Record<string, Schema>): Schema {
  if (field.listKind === 'scalar') return scalarSchema(field.scalar);
  return field.listKind === 'enum' ? enumSchema(field.enum) : messageSchema(field.message, schemas);
}

function messageSchema(message: DescMessage, schemas: Record<string, Schema>): Schema {
  switch (message.typeName) {
    case 'google.protobuf.Timestamp':
      return { type: 'string', format: 'date-time' };
    case 'google.protobuf.Duration':
      return { type: 'string', examples: ['1.5s'] };
    case 'google.protobuf.FieldMask':
      return { type: 'string', examples: ['lifetime,metadata'] };
  }
  return reference(message, schemas);
}

function enumSchema({ values }: DescEnum): Schema {
  return { type: 'string', enum: values.map(({ name }) => name) };
}

function scalarSchema(scalar: ScalarType): Schema {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: 'string' };
    case ScalarType.BYTES:
      return { type: 'string', format: 'byte' };
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number' };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return { type: ['string', 'integer'], format: 'int64' };
    default:
      return { type: 'integer' };
  }
}
