import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageTag } from './build.ts';

/** The catalogue in JSON, with images by their tags. `registry`: where they are pulled from, with a slash at its end. */
export async function resolvedCatalog(registry = ''): Promise<string> {
  const catalog = JSON.parse(await readFile(join(import.meta.dirname, 'catalog.json'), 'utf8'));
  for (const template of catalog.templates) template.image = `${registry}${await imageTag(template.image)}`;
  return JSON.stringify(catalog, null, 2);
}
