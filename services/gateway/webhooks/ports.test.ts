import { expect, test } from 'vitest';
import { allowsPort, describePorts, parsePorts, WEB_PORTS } from './ports.ts';

const WEB = WEB_PORTS.split(',').map(parsePorts);

test('webhooks go to the ports of web servers, and to those that the operator allows instead', () => {
  const ports = [1, 22, 25, 80, 443, 5432, 6379, 8080, 8443, 9000, 9999, 10_000, 65_535];
  expect(ports.filter((port) => allowsPort(WEB, port))).toEqual([80, 443, 8080, 8443]);
  const own = ['443', '9000-9999'].map(parsePorts);
  expect(ports.filter((port) => allowsPort(own, port))).toEqual([443, 9000, 9999]);
  expect(describePorts(own)).toBe('443, 9000-9999');
});

test.each(['', '0', '65536', '-1', '80-', '90-80', '80-65536', 'http', '80-81-82', '1e3', ' 80'])(
  '%j is no port',
  (text) => {
    expect(() => parsePorts(text)).toThrow('is no port');
  },
);
