import { expect, test } from 'vitest';
import { readEnvironment } from './config.ts';

test('every problem is named at once', () => {
  const env = readEnvironment({ LIMIT: 'many', BACKEND: 'podman' });
  env.string('DATABASE_URL');
  env.integer('LIMIT', 1);
  env.oneOf('BACKEND', ['docker', 'kubernetes']);
  expect(() => env.check()).toThrow(/DATABASE_URL: is required\n {2}LIMIT: .*'many'\n {2}BACKEND: cannot use 'podman'/);
});

test('an empty variable takes the default', () => {
  const env = readEnvironment({ PORT: '' });
  expect(env.integer('PORT', 7000)).toBe(7000);
  env.check();
});
