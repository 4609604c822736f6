import {
  createFileRegistry,
  type DescExtension,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
  getOption,
  type JsonObject,
  type JsonValue,
} from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { DESCRIPTORS } from './generated/descriptors.ts';
import type { Bound, Method } from './transport.ts';

/** How a method is called by HTTP, as its annotation says. */
export type Route = {
  verb: string;
  /** Such as `/v1/things/{thing_id}/files/{path=**}:verb`. */
  template: string;
  /** The field that the body is, or `*` for the whole message but what the path holds. */
  body: DescField | '*' | undefined;
  /** The field that the answer is. Default: the whole message. */
  responseBody: DescField | undefined;
  input: DescMessage;
  output: DescMessage;
};

export type Target = { verb: string; path: string; body?: string | Blob };

type HttpRule = { pattern: { case: string; value: string }; body: string; responseBody: string };

let routes: Map<string, Route> | undefined;

export function routeOf({ service, method }: Bound<Method>): Route {
  routes ??= readRoutes();
  const route = routes.get(`${service}/${method.name}`);
  if (!route) throw new Error(`${service}/${method.name} has no route`);
  return route;
}

/** Made at the first call: a program that makes none does without. */
function readRoutes(): Map<string, Route> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, base64Decode(DESCRIPTORS)));
  const annotation = registry.getExtension('google.api.http')!;
  const found = new Map<string, Route>();
  for (const file of registry.files)
    for (const service of file.services)
      for (const method of service.methods) {
        const rule = getOption<DescExtension, DescMethod>(method, annotation) as unknown as HttpRule;
        found.set(`${service.typeName}/${method.name}`, toRoute(rule, method));
      }
  return found;
}

function toRoute({ pattern, body, responseBody }: HttpRule, { input, output }: DescMethod): Route {
  return {
    verb: pattern.case.toUpperCase(),
    template: pattern.value,
    body: body === '*' ? '*' : body ? fieldOf(input, body) : undefined,
    responseBody: responseBody ? fieldOf(output, responseBody) : undefined,
    input,
    output,
  };
}

function fieldOf(message: DescMessage, name: string): DescField {
  return message.fields.find((field) => field.name === name)!;
}

/** The request with these fields: they are in its path, then in its body or its query. */
export function targetOf({ verb, template, body, input }: Route, fields: JsonObject): Target {
  const rest = { ...fields };
  const path = template.replaceAll(/\{([a-z0-9_]+)(=\*\*)?\}/g, (_, name: string, many?: string) => {
    const { jsonName } = fieldOf(input, name);
    const value = String(rest[jsonName] ?? '');
    delete rest[jsonName];
    return many ? encodePath(value) : encodeURIComponent(value);
  });
  if (body === '*') return { verb, path, body: JSON.stringify(rest) };
  const query = new URLSearchParams(parametersOf(rest)).toString();
  return { verb, path: query ? `${path}?${query}` : path };
}

/** URLs leave out segments that are dots alone, unless the slashes beside them are encoded. */
function encodePath(path: string): string {
  const encoded = encodeURIComponent(path === '..' ? './..' : path);
  return /(^|\/)\.\.?(\/|$)/.test(path) ? encoded : encoded.replaceAll('%2F', '/');
}

/** Fields of messages by dots, items of lists one by one. */
function parametersOf(value: JsonValue, name = ''): [string, string][] {
  if (Array.isArray(value)) return value.flatMap((item) => parametersOf(item, name));
  if (typeof value !== 'object' || value === null) return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => parametersOf(inner!, name ? `${name}.${key}` : key));
}
