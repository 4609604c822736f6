import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { imageTag, listImages } from './build.ts';

test('every template has an image that can be built', async () => {
  const { templates } = readCatalog(join(import.meta.dirname, 'catalog.json'));
  const names = (await listImages()).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([...templates.values()].map(({ image }) => image)));
});

test('a tag says what is in an image', async () => {
  const tags = (await listImages()).map(({ tag }) => tag);
  for (const tag of tags) expect(tag).toMatch(/^drydock\/[a-z]+:[0-9a-f]{12}$/);
  expect(new Set(tags).size).toBe(tags.length);
  await expect(imageTag('cobol')).rejects.toThrow('no image is called cobol');
});
