import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Output } from '#proto/drydock/v1/resources.ts';
import { createOutput, firstOf } from './output.ts';

function cut(bytes: Buffer, sizes: number[]): Output[] {
  const output = createOutput();
  const pieces: Output[] = [];
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    const chunk = bytes.subarray(at, at + size);
    pieces.push(...output.push(at, chunk));
    at += chunk.length;
  }
  return [...pieces, ...output.end(false)];
}

test('text stays text wherever it is cut', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.integer({ min: 1, max: 5 })), (text, sizes) => {
      const pieces = cut(Buffer.from(text), sizes);
      expect(pieces.every(({ content }) => content?.$case === 'text')).toBe(true);
      expect(pieces.map(({ content }) => content?.value).join('')).toBe(Buffer.from(text).toString());
    }),
  );
});

test('any bytes come out whole, at their offsets', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.array(fc.integer({ min: 1, max: 5 })), (data, sizes) => {
      let at = 0;
      for (const { offset, content } of cut(Buffer.from(data), sizes)) {
        const bytes = Buffer.from(content!.value as string);
        expect(offset).toBe(at);
        expect(bytes).toEqual(Buffer.from(data.subarray(at, at + bytes.length)));
        at += bytes.length;
      }
      expect(at).toBe(data.length);
    }),
  );
});

test('a stream that is joined or cut in the middle of a character is text but for that', () => {
  const bytes = Buffer.from('😀é!字');
  const output = createOutput();
  const pieces = [...output.push(2, bytes.subarray(2, 9)), ...output.end(true)];
  expect(pieces).toEqual([
    { offset: 2, content: { $case: 'data', value: bytes.subarray(2, 4) } },
    { offset: 4, content: { $case: 'text', value: 'é!' } },
  ]);
  expect(firstOf(bytes, 5).toString()).toBe('😀');
  expect(firstOf(bytes, 99).toString()).toBe('😀é!字');
});

test('what is no text is cut where it was to be', () => {
  for (const byte of [0x80, 0xc0, 0xc1, 0xf5, 0xff])
    expect(firstOf(Buffer.alloc(20, byte), 10)).toEqual(Buffer.alloc(10, byte));
  expect(firstOf(Buffer.from('aé'), 2)).toEqual(Buffer.from('a'));
});
