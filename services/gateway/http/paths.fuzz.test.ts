import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { fuzzTest } from '#libs/fuzz-fixture.ts';
import { readContract } from '../contract.ts';
import { readDescriptors } from '../descriptors.ts';
import { readBindings } from './bindings.ts';
import { messageFromJson } from './json-message.ts';
import { parseQuery, textsToJson } from './query.ts';
import { createRouter } from './router.ts';

const descriptors = readDescriptors(readFileSync('.build/descriptors.binpb'));
const bindings = readBindings(descriptors, readContract(descriptors));
const route = createRouter(bindings);
const NOTHING = new Uint8Array();
const LONG = 16_000;
// Several times what the slowest of them takes on a machine that does other things.
const SLOW_MS = 500;

const odd = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', '..', '.', '', '/', ':', '//', '%2F', '%2e%2e'),
  fc.constantFrom('%', '%zz', '%ff', '%00', '%0a', '%E0%A4%A', '{', '}', '*', '\\', ';', '#', '?'),
);
const long = fc.tuple(odd, fc.nat(LONG)).map(([text, times]) => text.repeat(times).slice(0, LONG));
const piece = fc.oneof({ weight: 9, arbitrary: odd }, { weight: 1, arbitrary: long });
const binding = fc.constantFrom(...bindings);

/** What is thrown must be typed. */
function attempt<T>(work: () => T): T | undefined {
  const began = performance.now();
  try {
    return work();
  } catch (error) {
    expect(error).toBeInstanceOf(DrydockError);
    expect(['MALFORMED_REQUEST', 'ROUTE_NOT_FOUND']).toContain((error as DrydockError).reason);
    return undefined;
  } finally {
    expect(performance.now() - began).toBeLessThan(SLOW_MS);
  }
}

fuzzTest(
  'a path that is made of odd pieces finds a route or is refused, and what a route holds is of its own fields',
  2_000,
  fc.property(
    binding,
    fc.array(piece, { maxLength: 8 }),
    fc.constantFrom('/', ':', ''),
    ({ verb, template }, pieces, joint) => {
      const values = [...pieces];
      const near = template.source.replace(/\{[^}]+\}/g, () => values.shift() ?? 'x');
      for (const path of [near, near + joint + values.join(joint), `/v1/${pieces.join(joint)}`]) {
        const found = attempt(() => route(verb, path));
        if (!found) continue;
        expect([...found.fields.keys()]).toEqual([...found.binding.template.fields]);
        attempt(() => {
          const { input } = found.binding.descriptor;
          messageFromJson(input, NOTHING, '', [textsToJson(input, found.fields)]);
        });
      }
    },
  ),
);

fuzzTest(
  'a value in a path comes back as it was encoded',
  1_000,
  fc.property(
    binding,
    fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 4, maxLength: 4 }),
    (given, texts) => {
      const { template, verb } = given;
      const values = [...texts];
      const path = template.source.replace(/\{[^}]+\}/g, () => encodeURIComponent(values.shift()!));
      const found = route(verb, path);
      expect(found.binding).toBe(given);
      expect([...found.fields.values()]).toEqual(texts.slice(0, template.fields.length));
    },
  ),
);

const name = ({ descriptor }: (typeof bindings)[number]) =>
  fc.oneof(
    piece,
    fc.constantFrom(
      'x',
      ...descriptor.input.fields.flatMap((field) => [
        field.name,
        field.jsonName,
        ...(field.message?.fields.map((inner) => `${field.name}.${inner.jsonName}`) ?? []),
      ]),
    ),
  );
const query = binding.chain((given) =>
  fc
    .array(fc.tuple(name(given), piece, fc.constantFrom('=', '', '==', '&')), { maxLength: 8 })
    .map((pairs) => ({ given, text: pairs.map(([key, value, joint]) => key + joint + value).join('&') })),
);

fuzzTest(
  'a query of odd names and values is a request or is refused, and reaches no prototype',
  2_000,
  fc.property(query, ({ given, text }) => {
    const { input } = given.descriptor;
    attempt(() => messageFromJson(input, NOTHING, '', [textsToJson(input, parseQuery(text))]));
    expect(Object.keys(Object.prototype)).toEqual([]);
  }),
);
