import { readFileSync } from 'node:fs';
import { create, type DescMessage, toBinary, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { fuzzTest } from '#libs/fuzz-fixture.ts';
import { anyMessage } from './any-message-fixture.ts';
import { readContract } from './contract.ts';
import { readDescriptors } from './descriptors.ts';
import { messageFromJson, messageToJson } from './http/json-message.ts';
import { MAX_ELEMENTS } from './message-scan.ts';
import { PUBLIC_METHODS } from './owners.ts';

const contract = readContract(readDescriptors(readFileSync('.build/descriptors.binpb')));
const NOTHING = new Uint8Array();
const REFUSALS = ['MALFORMED_REQUEST', 'INVALID_FIELD', 'REQUEST_TOO_LARGE'];
/** What Node and ts-proto say of text that is no UTF-8, which is for the owner to see. */
const NO_TEXT = /encoded data was not valid/;

const methods = new Map(PUBLIC_METHODS.map((method) => [method.key, method]));
const methodKey = fc.constantFrom(...methods.keys());

/** A public method by its key, and a request of it. */
const call = methodKey.chain((key) =>
  anyMessage(contractOf(key).descriptor.input, contract.limits).map((request) => ({ key, request })),
);

function contractOf(key: string) {
  return contract.of(methods.get(key)!);
}

const shownOf = (descriptor: DescMessage, bytes: Uint8Array) =>
  Buffer.from(messageToJson(descriptor, bytes, '')).toString();

const isRefusal = (error: unknown) => error instanceof DrydockError && REFUSALS.includes(error.reason);

/** Whether something is taken. It fails where it is refused in another way than with a typed error. */
function takes(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  }
}

fuzzTest(
  'a request of any method is the same after it went through JSON, and its owner reads it',
  1_000,
  fc.property(call, ({ key, request }) => {
    const { descriptor, scan } = contractOf(key);
    const { input } = descriptor;
    const bytes = toBinary(input, create(input, request as never));
    scan(bytes);
    const again = messageFromJson(input, messageToJson(input, bytes, ''), '', []);
    scan(again);
    expect(shownOf(input, again)).toBe(shownOf(input, bytes));
    const { requestType } = methods.get(key)!.method;
    expect(shownOf(input, requestType.encode(requestType.decode(again)).finish())).toBe(shownOf(input, bytes));
  }),
);

fuzzTest(
  'JSON that is wrong somewhere is refused with a typed error, or is a request',
  1_000,
  fc.property(call, fc.infiniteStream(fc.nat()), fc.jsonValue(), fc.nat(3), ({ key, request }, at, odd, how) => {
    const { descriptor, scan } = contractOf(key);
    const { input } = descriptor;
    const json = toJson(input, create(input, request as never));
    const text = how === 0 ? damagedText(JSON.stringify(json), at) : JSON.stringify(withOdd(json, odd, at));
    takes(() => scan(messageFromJson(input, Buffer.from(text), '', [])));
  }),
);

fuzzTest(
  'any JSON is refused with a typed error, or is a request',
  500,
  fc.property(methodKey, fc.oneof(fc.json(), fc.string(), fc.uint8Array()), (key, body) => {
    const { descriptor, scan } = contractOf(key);
    takes(() => scan(messageFromJson(descriptor.input, Buffer.from(body as string), '', [])));
  }),
);

fuzzTest(
  'bytes that pass are a message to their owner, with no more items than its limits',
  2_000,
  fc.property(call, fc.array(fc.nat(), { maxLength: 6 }), fc.uint8Array(), ({ key, request }, cuts, more) => {
    const { descriptor, scan } = contractOf(key);
    const { input } = descriptor;
    const bytes = Buffer.concat([toBinary(input, create(input, request as never)), cuts.length % 2 ? more : NOTHING]);
    for (const cut of cuts) if (bytes.length > 0) bytes[cut % bytes.length] = cut % 256;
    if (!takes(() => scan(bytes))) return;
    let message: unknown;
    try {
      message = methods.get(key)!.method.requestType.decode(bytes);
    } catch (error) {
      expect(String(error)).toMatch(NO_TEXT);
      return;
    }
    expect(countWithin(input, message as never)).toBeLessThanOrEqual(MAX_ELEMENTS);
  }),
);

/** How many values a message holds, as its owner has it. It fails where a list or a map has more than its limit. */
function countWithin({ fields }: DescMessage, message: Record<string, unknown>): number {
  let count = 0;
  for (const field of fields) {
    const value = field.oneof ? valueOfCase(message[field.oneof.localName], field.localName) : message[field.localName];
    if (value === undefined) continue;
    const repeated = field.fieldKind === 'list' || field.fieldKind === 'map';
    const items: unknown[] = repeated ? Object.values(value as object) : [value];
    if (repeated) expect(items.length, String(field)).toBeLessThanOrEqual(contract.limits(field));
    count += items.length;
    if (field.message && !isForeign(field.message))
      for (const item of items) count += countWithin(field.message, item as never);
  }
  return count;
}

function valueOfCase(oneof: unknown, name: string): unknown {
  const { $case: given, value } = (oneof ?? {}) as { $case?: string; value?: unknown };
  return given === name ? value : undefined;
}

/** Owners have times, durations and masks in another shape. */
const isForeign = ({ typeName }: DescMessage) => typeName.startsWith('google.protobuf.');

function damagedText(text: string, at: Iterator<number>): string {
  const cut = next(at) % (text.length + 1);
  return text.slice(0, cut) + String.fromCharCode(next(at) % 0x10000) + text.slice(cut + (next(at) % 3));
}

/** A copy with one of its values replaced, or one more. */
function withOdd(json: unknown, odd: unknown, at: Iterator<number>): unknown {
  if (typeof json !== 'object' || json === null) return odd;
  const entries: [string, unknown][] = Object.entries(json);
  const which = next(at) % (entries.length + 1);
  const [key, value] = entries[which] ?? [['__proto__', 'constructor', 'id', '@type', ''][next(at) % 5]!, undefined];
  const changed = value === undefined || next(at) % 3 === 0 ? odd : withOdd(value, odd, at);
  if (Array.isArray(json)) return json.with(Math.min(which, json.length - 1), changed);
  return Object.fromEntries([...entries.filter(([name]) => name !== key), [key, changed]]);
}

const next = (numbers: Iterator<number>): number => numbers.next().value as number;
