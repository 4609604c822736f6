import {
  createFileRegistry,
  type DescExtension,
  type DescField,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  getOption,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Definition } from '#libs/grpc/rpc.ts';
import { type PathTemplate, parsePathTemplate } from './path-template.ts';

/** One route: an HTTP verb and a path that stand for a method. */
export type Binding = {
  verb: string;
  path: string;
  template: PathTemplate;
  definition: Definition;
  /** The method's name in its definition. */
  name: string;
  method: DescMethod;
  /** Where the request's JSON goes: the whole message, or nowhere. */
  jsonBody: boolean;
  /** The bytes that the request's, or the response's, raw body is. */
  rawRequest: DescField | undefined;
  rawResponse: DescField | undefined;
  /** The field that alone makes up the JSON response. */
  responseField: DescField | undefined;
};

type HttpRule = {
  pattern: { case?: string; value?: string };
  body: string;
  responseBody: string;
  additionalBindings: HttpRule[];
};

export function readDescriptors(bytes: Uint8Array): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
}

/** Every route of these services, as their `google.api.http` annotations say; those with most fixed text first. */
export function readBindings(registry: FileRegistry, definitions: Definition[]): Binding[] {
  const extension = registry.getExtension('google.api.http');
  if (!extension) throw new Error('the descriptors lack google/api/annotations.proto');
  return definitions
    .flatMap((definition) => bindingsOf(registry, extension, definition))
    .sort((a, b) => b.template.weight - a.template.weight);
}

function bindingsOf(registry: FileRegistry, extension: DescExtension, definition: Definition): Binding[] {
  const service = registry.getService(definition.fullName);
  if (!service) throw new Error(`the descriptors lack ${definition.fullName}`);
  return service.methods.flatMap((method) => {
    const rule = getOption(method, extension) as unknown as HttpRule;
    return [rule, ...rule.additionalBindings].map((rule) => toBinding(definition, method, rule));
  });
}

function toBinding(definition: Definition, method: DescMethod, rule: HttpRule): Binding {
  const { case: verb = '', value: path = '' } = rule.pattern;
  const field = (name: string, of: DescMethod['input']) => of.fields.find((field) => field.name === name);
  const bytes = (found: DescField | undefined) => (found && isBytes(found) ? found : undefined);
  const responseField = field(rule.responseBody, method.output);
  return {
    verb: verb.toUpperCase(),
    path,
    template: parsePathTemplate(path),
    definition,
    name: method.localName,
    method,
    jsonBody: rule.body === '*',
    rawRequest: bytes(field(rule.body, method.input)),
    rawResponse: bytes(responseField),
    responseField,
  };
}

function isBytes(field: DescField): boolean {
  return field.fieldKind === 'scalar' && field.scalar === 12;
}
