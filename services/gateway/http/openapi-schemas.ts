import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import type { ItemLimits } from '../message-limits.ts';
import { commentOf } from './comments.ts';

export type Schema = Record<string, unknown>;

export type Schemas = {
  /** The schema of a field's value, without its description. */
  ofField(field: DescField): Schema;
  /** The schema of a message; its own definition is kept in `components`. */
  ofMessage(message: DescMessage): Schema;
  /** The schema of a message but for some fields, in place. */
  ofMessageWithout(message: DescMessage, fields: ReadonlySet<string>): Schema;
  /** Every definition that was referred to. */
  components: Record<string, Schema>;
};

const PACKAGE = 'drydock.v1.';

/** Well-known types as proto3 JSON writes them. */
const WELL_KNOWN: Record<string, Schema> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$', examples: ['1.5s'] },
  'google.protobuf.FieldMask': { type: 'string', examples: ['lifetime,metadata'] },
};

const INT64: Schema = { type: ['string', 'integer'], format: 'int64' };
const SCALARS: { [type in ScalarType]?: Schema } = {
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.INT32]: { type: 'integer', format: 'int32' },
  [ScalarType.UINT32]: { type: 'integer', minimum: 0 },
  [ScalarType.INT64]: INT64,
  [ScalarType.UINT64]: INT64,
  [ScalarType.DOUBLE]: { type: 'number', format: 'double' },
  [ScalarType.FLOAT]: { type: 'number', format: 'float' },
};

export function createSchemas(limits: ItemLimits): Schemas {
  const components: Record<string, Schema> = {};
  const none: ReadonlySet<string> = new Set();

  const refer = (type: DescMessage | DescEnum, define: () => Schema): Schema => {
    const name = type.typeName.startsWith(PACKAGE) ? type.typeName.slice(PACKAGE.length) : type.typeName;
    if (!components[name]) {
      // Set first, for messages that hold themselves.
      const definition: Schema = {};
      components[name] = definition;
      Object.assign(definition, define());
    }
    return { $ref: `#/components/schemas/${name}` };
  };
  const ofEnum = (type: DescEnum): Schema =>
    refer(type, () => ({ type: 'string', enum: type.values.map(({ name }) => name), ...described(enumText(type)) }));
  const ofMessage = (message: DescMessage): Schema =>
    WELL_KNOWN[message.typeName] ?? refer(message, () => ofMessageWithout(message, none));
  const ofScalar = (type: ScalarType): Schema => {
    const schema = SCALARS[type];
    if (!schema) throw new Error(`no schema for scalar type ${ScalarType[type]}`);
    return schema;
  };
  const single = ({ message, enum: type, scalar }: DescField): Schema =>
    message ? ofMessage(message) : type ? ofEnum(type) : ofScalar(scalar!);
  const ofField = (field: DescField): Schema => {
    const value = single(field);
    if (field.fieldKind === 'list') return { type: 'array', items: value, maxItems: limits(field) };
    if (field.fieldKind === 'map') return { type: 'object', additionalProperties: value, maxProperties: limits(field) };
    return value;
  };
  const ofMessageWithout = (message: DescMessage, without: ReadonlySet<string>): Schema => ({
    type: 'object',
    properties: Object.fromEntries(
      message.fields
        .filter(({ name }) => !without.has(name))
        .map((field) => [field.jsonName, { ...ofField(field), ...described(fieldText(field)) }]),
    ),
    ...described(commentOf(message)),
  });
  return { ofField, ofMessage, ofMessageWithout, components };
}

export function described(description: string): { description?: string } {
  return description ? { description } : {};
}

function fieldText(field: DescField): string {
  if (!field.oneof) return commentOf(field);
  const others = field.oneof.fields.filter((other) => other !== field).map(({ jsonName }) => `\`${jsonName}\``);
  return `${commentOf(field)} Not together with ${others.join(', ')}.`.trim();
}

function enumText(type: DescEnum): string {
  const values = type.values.map((value) => ({ name: value.name, text: commentOf(value) })).filter(({ text }) => text);
  return [commentOf(type), ...values.map(({ name, text }) => `${name}: ${text}`)].filter(Boolean).join('\n\n');
}
