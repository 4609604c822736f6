import type { DescEnum, DescField, DescMessage, DescMethod, DescService } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import type { Binding } from '../http/bindings.ts';
import { commentOf } from '../http/comments.ts';
import type { ItemLimits } from '../message-limits.ts';
import { escapeHtml, proseOf } from './page.ts';

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 62rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid #8886; }
h3 { margin: 2rem 0 0.25rem; font-family: ui-monospace, monospace; font-size: 1rem; }
p { margin: 0.25rem 0; }
code { font-family: ui-monospace, monospace; font-size: 0.9em; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.75rem 0.3rem 0; border-bottom: 1px solid #8883; }
nav { columns: 14rem; }
`;

/** The gRPC API as a page: services and methods, then every message and enum that they use. Source: the comments of the protos. */
export function grpcReference(bindings: readonly Binding[], limits: ItemLimits): string {
  const methods = [...new Map(bindings.map((binding) => [binding.descriptor, binding])).values()];
  const services = Map.groupBy(methods, ({ descriptor }) => descriptor.parent);
  const { messages, enums } = typesOf(methods.map(({ descriptor }) => descriptor));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drydock: gRPC API</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<h1>gRPC API</h1>
<p>Package <code>drydock.v1</code>. Each call needs the metadata <code>authorization: Bearer</code> with an API key or a token.
The same operations over HTTP: <a href="/docs">HTTP API</a>.</p>
<nav>${[...services.keys()].map((service) => `<p><a href="#${service.name}">${service.name}</a></p>`).join('')}</nav>
${[...services].map(([service, bindings]) => serviceSection(service, bindings)).join('\n')}
<h2 id="messages">Messages</h2>
${messages.map((message) => messageSection(message, limits)).join('\n')}
<h2 id="enums">Enums</h2>
${enums.map(enumSection).join('\n')}
</body>
</html>
`;
}

function serviceSection(service: DescService, bindings: readonly Binding[]): string {
  return `<h2 id="${service.name}">${service.name}</h2>
<p>${proseOf(commentOf(service))}</p>
${bindings.map(methodSection).join('\n')}`;
}

function methodSection({ descriptor, method: { scope }, verb, template }: Binding): string {
  const { parent, name, input, output, methodKind } = descriptor;
  const streams = (of: 'client' | 'server') => (methodKind === `${of}_streaming` ? 'stream ' : '');
  const signature = `${streams('client')}${typeLink(input)}) → ${streams('server')}${typeLink(output)}`;
  const needs = scope === 'any' ? 'Any credential.' : `Scope <code>${scope}</code>.`;
  return `<h3 id="${parent.name}.${name}">${name}(${signature}</h3>
<p>${proseOf(commentOf(descriptor))}</p>
<p>${needs} Over HTTP: <code>${verb} ${escapeHtml(template.source)}</code>.</p>`;
}

function messageSection(message: DescMessage, limits: ItemLimits): string {
  const rows = message.fields.map((field) => {
    const limited = field.fieldKind === 'list' || field.fieldKind === 'map' ? ` At most ${limits(field)}.` : '';
    const oneof = field.oneof ? ` One of <code>${field.oneof.name}</code>.` : '';
    return `<tr><td><code>${field.name}</code></td><td>${fieldType(field)}</td><td>${field.number}</td><td>${proseOf(commentOf(field))}${limited}${oneof}</td></tr>`;
  });
  const table = `<table><tr><th>Field</th><th>Type</th><th>Number</th><th></th></tr>${rows.join('\n')}</table>`;
  return `<h3 id="${message.typeName}">${shortName(message)}</h3>
<p>${proseOf(commentOf(message))}</p>
${rows.length > 0 ? table : '<p>No fields.</p>'}`;
}

function enumSection(type: DescEnum): string {
  const rows = type.values.map(
    (value) =>
      `<tr><td><code>${value.name}</code></td><td>${value.number}</td><td>${proseOf(commentOf(value))}</td></tr>`,
  );
  return `<h3 id="${type.typeName}">${shortName(type)}</h3>
<p>${proseOf(commentOf(type))}</p>
<table><tr><th>Value</th><th>Number</th><th></th></tr>${rows.join('\n')}</table>`;
}

function fieldType(field: DescField): string {
  const value = field.message ? typeLink(field.message) : field.enum ? typeLink(field.enum) : scalarName(field.scalar!);
  if (field.fieldKind === 'list') return `repeated ${value}`;
  if (field.fieldKind === 'map') return `map&lt;${scalarName(field.mapKey)}, ${value}&gt;`;
  return value;
}

const scalarName = (type: ScalarType) => `<code>${ScalarType[type].toLowerCase()}</code>`;

/** Types of other packages are not described here. */
const isOwn = ({ typeName }: DescMessage | DescEnum) => typeName.startsWith('drydock.v1.');

const shortName = (type: DescMessage | DescEnum) =>
  isOwn(type) ? type.typeName.slice('drydock.v1.'.length) : type.typeName;

const typeLink = (type: DescMessage | DescEnum) =>
  isOwn(type) ? `<a href="#${type.typeName}">${shortName(type)}</a>` : `<code>${type.typeName}</code>`;

/** Every message and enum that methods lead to, in the order of their names. */
function typesOf(methods: readonly DescMethod[]): { messages: DescMessage[]; enums: DescEnum[] } {
  const messages = new Set<DescMessage>();
  const enums = new Set<DescEnum>();
  const visit = (message: DescMessage) => {
    if (!isOwn(message) || messages.has(message)) return;
    messages.add(message);
    for (const field of message.fields) {
      if (field.message) visit(field.message);
      if (field.enum) enums.add(field.enum);
    }
  };
  for (const { input, output } of methods) {
    visit(input);
    visit(output);
  }
  const byName = (a: DescMessage | DescEnum, b: DescMessage | DescEnum) => a.typeName.localeCompare(b.typeName);
  return { messages: [...messages].sort(byName), enums: [...enums].sort(byName) };
}
