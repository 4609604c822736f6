import { expect, test } from 'vitest';
import { Clip, clipped } from './clip.ts';

test('a short output is whole, however it came', () => {
  const clip = new Clip();
  for (const piece of ['über', '\n', 'end']) for (const byte of Buffer.from(piece)) clip.add(Uint8Array.of(byte));
  expect([clip.text(), clip.truncated, clip.bytes]).toEqual(['über\nend', false, 9]);
});

test('of a long one the beginning and the end are kept, and what is left out is counted', () => {
  const clip = new Clip();
  for (let i = 0; i < 100_000; i += 1) clip.add(Buffer.from(`${i}\n`));
  const [, left] = /\[(\d+) bytes left out\]/.exec(clip.text()) ?? [];
  expect(clip.truncated).toBe(true);
  expect(clip.text()).toMatch(/^0\n1\n[\s\S]*\n99999\n$/);
  expect(clip.text().length - `\n[${left} bytes left out]\n`.length + Number(left)).toBe(clip.bytes);
});

test('an output that just fits is whole', () => {
  const text = 'x'.repeat(24 * 1024);
  expect(clipped(text)).toEqual({ text, truncated: false });
  expect(clipped(`${text}y`).truncated).toBe(true);
});
