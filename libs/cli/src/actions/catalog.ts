import { extname } from 'node:path';
import type { Language, Template } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { Column } from '../output.ts';
import { showBytes } from '../units.ts';

const LANGUAGE_COLUMNS: readonly Column<Language>[] = [
  ['name', (language) => language.name],
  ['version', (language) => language.displayName],
  ['ending', (language) => extname(language.sourceFile)],
  ['template', (language) => language.template],
  ['compiled', (language) => (language.compiled ? 'yes' : 'no')],
];
const TEMPLATE_COLUMNS: readonly Column<Template>[] = [
  ['id', (template) => template.id],
  ['memory', ({ defaultLimits }) => defaultLimits.memoryBytes && showBytes(defaultLimits.memoryBytes)],
  ['cpus', ({ defaultLimits }) => defaultLimits.cpus],
  ['languages', (template) => template.languages.join(' ')],
  ['description', (template) => template.description],
];

export async function languages(context: Context, { limit }: { limit: number }): Promise<number> {
  const drydock = await context.connect();
  await context.output.many(drydock.templates.languages({ signal: context.signal }), LANGUAGE_COLUMNS, limit);
  return EXIT.ok;
}

export async function templates(context: Context, { limit }: { limit: number }): Promise<number> {
  const drydock = await context.connect();
  await context.output.many(drydock.templates.list({ signal: context.signal }), TEMPLATE_COLUMNS, limit);
  return EXIT.ok;
}
