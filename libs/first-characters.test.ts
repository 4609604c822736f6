import { expect, test } from 'vitest';
import { firstCharacters } from './first-characters.ts';

test('a text is cut at the end of a character', () => {
  expect(firstCharacters('ab😀', 9)).toBe('ab😀');
  expect(firstCharacters('ab😀', 4)).toBe('ab😀');
  expect(firstCharacters('ab😀', 3)).toBe('ab');
  expect(firstCharacters('😀', 0)).toBe('');
});
