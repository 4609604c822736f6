import { ApiException } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { messageOf, refusalOf } from './api-errors.ts';

const refused = (message: string, code = 403) => new ApiException(code, 'HTTP', JSON.stringify({ message }), {});

test.each([
  [
    'pods "a" is forbidden: exceeded quota: all, requested: pods=1, used: pods=9, limited: pods=9',
    'NO_CAPACITY',
    'quota',
  ],
  [
    'pods "a" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
    'SANDBOX_START_FAILED',
    'no RuntimeClass gvisor',
  ],
  [
    'admission webhook "pods.example.com" denied the request: not here',
    'SANDBOX_START_FAILED',
    'webhook pods.example.com',
  ],
  [
    'pods is forbidden: User "x" cannot create resource "pods" in API group "" in the namespace "y"',
    'SANDBOX_START_FAILED',
    'may not create pods',
  ],
  ['pods "a" is forbidden: violates PodSecurity "restricted:latest"', 'SANDBOX_START_FAILED', 'violates PodSecurity'],
])('%s', (message, reason, part) => {
  expect(refusalOf('python', refused(message))).toMatchObject({ reason, message: expect.stringContaining(part) });
});

test('an answer that is no status, and no answer at all', () => {
  expect(messageOf(new ApiException(502, 'HTTP', '<html>bad gateway</html>', {}))).toBe('<html>bad gateway</html>');
  expect(messageOf(new Error('connect ECONNREFUSED'))).toBe('connect ECONNREFUSED');
});
