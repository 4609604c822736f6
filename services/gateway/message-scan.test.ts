import { readFileSync } from 'node:fs';
import type { DescMessage } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { BatchSubmitExecutionsRequest, SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import { readContract } from './contract.ts';
import { readDescriptors } from './descriptors.ts';
import { createScan, MAX_ELEMENTS } from './message-scan.ts';
import { PUBLIC_METHODS } from './owners.ts';
import { findBytes } from './wire.ts';

const descriptors = readDescriptors(readFileSync('.build/descriptors.binpb'));
const contract = readContract(descriptors);
const scanOf = (key: string) => contract.of(PUBLIC_METHODS.find((method) => method.key === key)!).scan;

/** Bytes of a field that holds bytes: its tag, its length, and what is in it. */
const field = (number: number, ...content: number[]) => [number * 8 + 2, content.length, ...content];
const repeated = (times: number, bytes: number[]) => Buffer.concat(Array<Buffer>(times).fill(Buffer.from(bytes)));

describe('refuses', () => {
  const runCode = scanOf('runCode');
  test.each<[string, string, Uint8Array, object]>([
    [
      'members of a batch beyond its limit',
      'batchSubmitExecutions',
      repeated(9_900_000, field(1)),
      { reason: 'INVALID_FIELD', message: 'requests: has more than 1000 items' },
    ],
    [
      'items of a field inside a member, by the place',
      'batchSubmitExecutions',
      BatchSubmitExecutionsRequest.encode({
        requests: [
          SubmitExecutionRequest.fromPartial({}),
          SubmitExecutionRequest.fromPartial({ command: Array(1_025).fill('x') }),
        ],
      }).finish(),
      { reason: 'INVALID_FIELD', message: 'requests[1].command: has more than 1024 items' },
    ],
    [
      'entries of a map',
      'runCode',
      repeated(1_000_000, field(9)),
      { reason: 'INVALID_FIELD', message: 'environment: has more than 128 items' },
    ],
    [
      'an entry of a map that its owner would lose',
      'runCode',
      Buffer.from(field(9, ...field(1, ...Buffer.from('__proto__')), ...field(2, 65))),
      {
        reason: 'MALFORMED_REQUEST',
        message: 'environment[0]: has the name __proto__, which cannot be used',
      },
    ],
    [
      'items in one value',
      'listExecutions',
      Buffer.from(field(3, ...Array(100).fill(1))),
      { reason: 'INVALID_FIELD', message: 'states: has more than 16 items' },
    ],
    ['one field again and again', 'runCode', repeated(MAX_ELEMENTS + 1, field(4)), { reason: 'REQUEST_TOO_LARGE' }],
    ['unknown fields', 'runCode', repeated(MAX_ELEMENTS + 1, [0xf8, 0x07, 0]), { reason: 'REQUEST_TOO_LARGE' }],
    ['groups', 'runCode', Buffer.from([0x0b, 0x0c]), { reason: 'MALFORMED_REQUEST' }],
    ['a value that ends too early', 'runCode', Buffer.from([0x0a, 5, 1]), { reason: 'MALFORMED_REQUEST' }],
    ['a number without end', 'runCode', Buffer.alloc(20, 0xff), { reason: 'MALFORMED_REQUEST' }],
    ['a field without a number', 'runCode', Buffer.from([0x02, 0]), { reason: 'MALFORMED_REQUEST' }],
    [
      'a number that is no value of an enum',
      'runCode',
      Buffer.from([12 * 8, 99]),
      { reason: 'MALFORMED_REQUEST', message: 'comparison: has a number that stands for no value' },
    ],
  ])('%s', (_, method, bytes, error) => {
    expect(() => scanOf(method)(bytes)).toThrow(expect.objectContaining(error));
  });

  test('a hundred bytes of a number that is too large for a float', () => {
    // limits.memory_bytes: 2^62.
    const bytes = Buffer.from(field(14, 0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40));
    expect(() => runCode(bytes)).toThrow(/beyond 2\^53/);
  });
});

test('every repeated field of the API has a limit', () => {
  const messages = [...descriptors.registry].filter(
    (type): type is DescMessage => type.kind === 'message' && type.typeName.startsWith('drydock.v1.'),
  );
  const many = messages.flatMap(({ fields }) =>
    fields.filter(({ fieldKind }) => fieldKind === 'list' || fieldKind === 'map'),
  );
  expect(many.length).toBeGreaterThanOrEqual(46);
  for (const each of many) expect(contract.limits(each), String(each)).toBeGreaterThan(0);
  for (const message of messages) createScan(message, contract.limits)(new Uint8Array());
});

test('the last of several fields counts, as decoders have it', () => {
  expect(findBytes(Buffer.from([...field(1, 65), ...field(2, 66), ...field(1, 67)]), 1)).toEqual(Buffer.from([67]));
  expect(findBytes(Buffer.from(field(2, 66)), 1)).toBeUndefined();
});
