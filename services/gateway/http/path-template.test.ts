import { expect, test } from 'vitest';
import { matchPath, parsePathTemplate } from './path-template.ts';

const match = (template: string, path: string) => {
  const fields = matchPath(parsePathTemplate(template), path);
  return fields && Object.fromEntries(fields);
};
const FILE = '/v1/sandboxes/{sandbox_id}/files/{path=**}';
const CONNECT = '/v1/sandboxes/{sandbox_id}/processes/{process_id}:connect';

test.each([
  [FILE, '/v1/sandboxes/s/files/a/b.txt', { sandbox_id: 's', path: 'a/b.txt' }],
  [FILE, '/v1/sandboxes/s/files//etc/hosts', { sandbox_id: 's', path: '/etc/hosts' }],
  [FILE, '/v1/sandboxes/s/files/a%20b%2Fc%3Astat', { sandbox_id: 's', path: 'a b/c:stat' }],
  [FILE, '/v1/sandboxes/s/files/a:b', { sandbox_id: 's', path: 'a:b' }],
  [FILE, '/v1/sandboxes/s/files/a%0Ab', { sandbox_id: 's', path: 'a\nb' }],
  [FILE, '/v1/sandboxes/s/files/', { sandbox_id: 's', path: '' }],
  [FILE, '/v1/sandboxes/s/files', undefined],
  [FILE, '/v1/sandboxes//files/a', undefined],
  [FILE, '/v1/sandboxes/a/b/files/c', undefined],
  [`${FILE}:stat`, '/v1/sandboxes/s/files/a/b:stat', { sandbox_id: 's', path: 'a/b' }],
  [`${FILE}:stat`, '/v1/sandboxes/s/files/a:stat%20', undefined],
  [CONNECT, '/v1/sandboxes/s/processes/p:connect', { sandbox_id: 's', process_id: 'p' }],
  ['/v1/executions/{execution_id}', '/v1/executions/e:watch', undefined],
  ['/v1/executions/{execution_id}', '/v1/executions/e%3Awatch', { execution_id: 'e:watch' }],
  ['/v1/executions:run', '/v1/executions:run', {}],
  ['/v1/executions:run', '/v1/executionsXrun', undefined],
  ['/v1/{a.b=*}/c', '/v1/x/c', { 'a.b': 'x' }],
])('%s on %s', (template, path, fields) => {
  expect(match(template, path)).toEqual(fields);
});

test.each(['%', '%zz', '%ff', '%E0%A4%A'])(
  'a path with %s in it is a malformed request that names the field',
  (bad) => {
    expect(() => match(FILE, `/v1/sandboxes/s/files/${bad}`)).toThrowError(
      expect.objectContaining({
        reason: 'MALFORMED_REQUEST',
        details: { fields: [{ field: 'path', description: 'is not valid percent-encoded UTF-8' }] },
      }),
    );
  },
);

test.each(['/v1/{', '/v1/*', '/v1/{a=b/*}'])('%s is refused as a template', (template) => {
  expect(() => parsePathTemplate(template)).toThrow();
});
