import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCatalog, readCatalog } from './catalog.ts';

const file = join(import.meta.dirname, '../../deploy/images/catalog.json');

/** The catalogue as JSON, to be spoilt. */
// biome-ignore lint/suspicious/noExplicitAny: the tests make it wrong on purpose
const load = (): any => JSON.parse(readFileSync(file, 'utf8'));

test('the catalogue that is shipped is sound, and nobody can change it', () => {
  const { templates, languages } = readCatalog(file);
  expect([...templates.keys()]).toEqual(['python', 'polyglot', 'extended', 'scripting', 'native']);
  expect(languages.size).toBeGreaterThanOrEqual(25);
  const python = templates.get('python')!;
  expect(() => Object.assign(python.limits, { cpus: 64 })).toThrow(TypeError);
});

test('every problem is told at once', () => {
  const json = load();
  json.templates[0].limits.memoryBytes = 1;
  json.templates[0].runtime = 5;
  json.templates[1].pool.floor = 0.5;
  delete json.languages[0].run;
  json.languages[1].run.push('{fiel}');
  json.languages[2].compilr = [];
  json.languages[3].displayName = '';
  expect(() => parseCatalog(json)).toThrow(
    [
      'bad catalogue catalogue',
      'templates[0].limits.memoryBytes: must be from 67108864 to 8589934592',
      'templates[0].runtime: must be a text or null',
      'templates[1].pool.floor: must be a whole number',
      'languages[0].run: is required',
      'languages[1].run[5]: {fiel} is none of {file}, {class}, {sources}, {siblings}, {others}, {options}, {arguments}',
      'languages[2].compilr: is not known here',
      'languages[3].displayName: must be a text that is not empty',
    ].join('\n  '),
  );
});

test.each([
  [
    'a name given twice',
    (json: ReturnType<typeof load>) => json.languages.push(json.languages[0]),
    /python is a duplicate/,
  ],
  [
    'an unknown template',
    (json: ReturnType<typeof load>) => (json.languages[0].template = 'none'),
    /unknown template none/,
  ],
  [
    'more disk than half of the memory',
    (json: ReturnType<typeof load>) => (json.templates[0].limits.diskBytes = 300 << 20),
    /half of memoryBytes/,
  ],
  [
    'a pool of a floor above its ceiling',
    (json: ReturnType<typeof load>) => (json.templates[0].pool.floor = 99),
    /floor is above/,
  ],
  [
    'a pool for cells of a floor above its ceiling',
    (json: ReturnType<typeof load>) => (json.templates[0].pool.cells.floor = 99),
    /cells.floor is above/,
  ],
  [
    'a pool for cells without a ceiling',
    (json: ReturnType<typeof load>) => delete json.templates[0].pool.cells.ceiling,
    /pool.cells.ceiling: is required/,
  ],
  [
    'a source file of another ending',
    (json: ReturnType<typeof load>) => (json.languages[0].sourceFile = 'main.rb'),
    /none of its extensions/,
  ],
  ['no list at all', (json: ReturnType<typeof load>) => (json.templates = {}), /templates: must be a list/],
])('%s is refused', (_, spoil, message) => {
  const json = load();
  spoil(json);
  expect(() => parseCatalog(json)).toThrow(message);
});

test.each([[null], [[]], ['catalogue'], [3]])('%j is no catalogue', (json) => {
  expect(() => parseCatalog(json)).toThrow('must be an object');
});
