import { expect, test } from 'vitest';
import { readEnvironment } from './config.ts';

test('every problem is named at once', () => {
  const env = readEnvironment({ LIMIT: 'many', BACKEND: 'podman' });
  env.string('DATABASE_URL');
  env.integer('LIMIT', 1);
  env.oneOf('BACKEND', ['docker', 'kubernetes']);
  expect(() => env.check()).toThrow(/DATABASE_URL: is required\n {2}LIMIT: .*'many'\n {2}BACKEND: cannot use 'podman'/);
});

test('a variable of another shape, or that is no URL, is named with what is needed', () => {
  const env = readEnvironment({ PREFIX: 'Upper', TRACES: 'collector:4318', GOOD: 'http://collector:4318', NAME: 'a1' });
  expect(env.matching('NAME', /^[a-z0-9]+$/, 'lower-case letters and digits')).toBe('a1');
  expect(env.matching('ABSENT', /^[a-z]+$/, 'lower-case letters', 'usual')).toBe('usual');
  expect(env.optionalUrl('GOOD', ['http:', 'https:'])).toBe('http://collector:4318');
  expect(env.optionalUrl('ABSENT', ['http:'])).toBeUndefined();
  env.check();
  env.matching('PREFIX', /^[a-z]+$/, 'lower-case letters');
  env.optionalUrl('TRACES', ['http:', 'https:']);
  expect(() => env.check()).toThrow(
    /PREFIX: needs lower-case letters, not 'Upper'\n {2}TRACES: needs a URL of http or https, not 'collector:4318'/,
  );
});

test('an empty variable takes the default', () => {
  const env = readEnvironment({ PORT: '' });
  expect(env.integer('PORT', 7000)).toBe(7000);
  env.check();
});

test('a list holds what was read of each value, and every one that cannot be is named', () => {
  const env = readEnvironment({ PORTS: ' 1, 2,,3 ', BAD: '1,two,three' });
  const parse = (text: string) => BigInt(text);
  expect(env.list('PORTS', parse)).toEqual([1n, 2n, 3n]);
  expect(env.list('ABSENT', parse)).toEqual([]);
  expect(env.list('ABSENT', parse, '4,5')).toEqual([4n, 5n]);
  env.check();
  env.list('BAD', parse);
  expect(() => env.check()).toThrow(/BAD: cannot use 'two'\n {2}BAD: cannot use 'three'/);
});
