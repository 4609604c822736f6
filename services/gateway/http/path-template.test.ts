import { expect, test } from 'vitest';
import { parsePathTemplate } from './path-template.ts';

const file = parsePathTemplate('/v1/sandboxes/{sandbox_id}/files/{path=**}');
const stat = parsePathTemplate('/v1/sandboxes/{sandbox_id}/files/{path=**}:stat');

test.each([
  ['/v1/sandboxes/s/files/a/b.txt', { sandbox_id: 's', path: 'a/b.txt' }],
  ['/v1/sandboxes/s/files//etc/hosts', { sandbox_id: 's', path: '/etc/hosts' }],
  ['/v1/sandboxes/s/files/a%20b%2Fc%3Astat', { sandbox_id: 's', path: 'a b/c:stat' }],
  ['/v1/sandboxes/s/files/', undefined],
  ['/v1/sandboxes/s/files/%E0%A4%A', undefined],
  ['/v1/sandboxes//files/a', undefined],
])('%s', (path, expected) => {
  expect(file.match(path)).toEqual(expected);
});

test('a verb goes before the same path without one', () => {
  expect(stat.match('/v1/sandboxes/s/files/a:stat')).toEqual({ sandbox_id: 's', path: 'a' });
  expect(stat.weight).toBeGreaterThan(file.weight);
});
