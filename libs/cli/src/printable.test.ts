import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { printable, printableJson, printableLines } from './printable.ts';
import { toYaml } from './yaml.ts';

/** What no output of names may hold. */
const ACTS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;
const hostile = fc.string({
  unit: fc.oneof(fc.constantFrom('\x1b', '\x9b', '\u202e', '\n', '\r', '\t', '"', "'", ':', '#'), fc.string()),
});

test('nothing that a terminal acts on stays in a text', () => {
  fc.assert(fc.property(hostile, (text) => !ACTS.test(printable(text))));
  fc.assert(fc.property(hostile, (text) => !ACTS.test(printableLines(text).replace(/[\n\t]/g, ''))));
});

test('JSON and YAML mean the same with it escaped', () => {
  const value = fc.record({ name: hostile, 'k\x1b': fc.array(hostile) });
  fc.assert(
    fc.property(value, (given) => {
      const [json, yaml] = [printableJson(JSON.stringify(given)), toYaml(given)];
      expect(JSON.parse(json)).toEqual(given);
      expect(parse(yaml)).toEqual(given);
      expect(ACTS.test(`${json}${yaml}`.replaceAll('\n', ''))).toBe(false);
    }),
  );
});

test('letters of all scripts, and emoji of several characters, stay as they are', () => {
  for (const text of ['日本語', 'e\u0301', 'ש', '👩‍💻', 'a b']) expect(printable(text)).toBe(text);
});
