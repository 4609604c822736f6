import { BlockList, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressRules, parseRange } from './addresses.ts';

const isAllowed = createAddressRules([]);

describe('a webhook is not sent to', () => {
  test.each([
    ['this network', '0.0.0.0', '0.1.2.3', '::'],
    ['this host', '127.0.0.1', '127.255.255.254', '::1'],
    [
      'private networks',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      'fc00::1',
      'fd00:ec2::254',
      'fec0::1',
    ],
    ['the link', '169.254.0.1', '169.254.169.254', 'fe80::1', 'fe80::1%eth0'],
    ['networks behind a carrier', '100.64.0.1', '100.100.100.200', '100.127.255.255'],
    ['groups and everybody', '224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'],
    ['reserved networks', '192.0.0.8', '192.88.99.1', '240.0.0.1', '100::1', '4000::1', '5f00::1'],
    ['benchmarks', '198.18.0.1', '198.19.255.255', '2001:2::1'],
    ['examples', '192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    ['mapped addresses', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::ffff:10.0.0.1'],
    ['compatible addresses', '::127.0.0.1', '::8.8.8.8', '::808:808'],
    ['translated addresses', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::a00:1'],
    ['tunnels', '2002:7f00:1::', '2001:0:7f00:1::', '2001::1'],
    ['the host of a virtual machine', '168.63.129.16', '::ffff:168.63.129.16'],
  ])('%s', (_, ...addresses) => {
    expect(addresses.filter(isAllowed)).toEqual([]);
  });

  test('any address of the machine that sends', () => {
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter(({ address }) => isAllowed(address))).toEqual([]);
  });
});

test('a webhook is sent to public addresses', () => {
  const addresses = ['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8'];
  expect(addresses.filter(isAllowed)).toEqual(addresses);
});

test('the operator may allow ranges, and nothing beside them', () => {
  const withRanges = createAddressRules(['10.1.0.0/16', 'fd00:1::/32'].map(parseRange));
  expect(['10.1.255.1', '::ffff:10.1.0.1', 'fd00:1::5', '1.1.1.1'].filter(withRanges)).toHaveLength(4);
  expect(['10.2.0.1', '127.0.0.1', 'fd00:2::1', '::10.1.0.1'].filter(withRanges)).toEqual([]);
});

test.each(['10.0.0.1', '10.0.0.0/33', 'ten', '10.0.0.0/'])('%j is no range', (text) => {
  expect(() => parseRange(text)).toThrow();
});

describe('whatever the address', () => {
  const octets = fc.tuple(...Array.from({ length: 4 }, () => fc.nat(255)));
  // From the registries of special addresses, where "globally reachable" is not true.
  const special = new BlockList();
  for (const range of [
    '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24',
    '192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4',
  ].flatMap((line) => line.split(' '))) {
    const [network, bits] = range.split('/');
    special.addSubnet(network!, Number(bits));
  }
  const inSpecialRange = fc
    .tuple(fc.constantFrom(10, 127, 169, 172, 192, 100, 198, 203, 0), octets)
    .map(([first, [, ...rest]]) => [first, ...rest]);

  test('an IPv4 address that is special is refused, also mapped into IPv6', () => {
    fc.assert(
      fc.property(fc.oneof(octets, inSpecialRange), (bytes) => {
        const address = bytes.join('.');
        fc.pre(special.check(address));
        expect(isAllowed(address)).toBe(false);
        expect(isAllowed(`::ffff:${address}`)).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test('every way of writing it in a URL comes to the same', () => {
    fc.assert(
      fc.property(fc.oneof(octets, inSpecialRange), ([a = 0, b = 0, c = 0, d = 0]) => {
        const number = ((a * 256 + b) * 256 + c) * 256 + d;
        const forms = [
          `${number}`,
          `0x${number.toString(16)}`,
          `0${number.toString(8)}`,
          `${a}.${b * 65_536 + c * 256 + d}`,
          `0${a.toString(8)}.0x${b.toString(16)}.${c * 256 + d}`,
          `${a}.${b}.${c}.${d}.`,
        ];
        for (const form of forms) {
          const { hostname } = new URL(`http://${form}/`);
          expect(isIPv4(hostname)).toBe(true);
          expect(isAllowed(hostname)).toBe(isAllowed([a, b, c, d].join('.')));
        }
      }),
    );
  });

  test('an IPv6 address outside of 2000::/3 that maps no IPv4 address is refused', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const { hostname } = new URL(`http://[${address}]/`);
        fc.pre(!/^\[(2|3)[0-9a-f]{3}:/.test(hostname) && !hostname.startsWith('[::ffff:'));
        expect(isAllowed(hostname.slice(1, -1))).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});
