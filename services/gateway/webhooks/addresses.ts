import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** A network address and how many of its bits count. */
export type AddressRange = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Reads a range such as `10.1.0.0/16`; throws where it is none. */
export function parseRange(text: string): AddressRange {
  return ipaddr.parseCIDR(text);
}

// Deprecated, and taken for the mapped address by ipaddr.js.
const COMPATIBLE = /^::[\d.]+$/;
const GLOBAL_UNICAST = parseRange('2000::/3');
// Public by its form, but what answers is the host of a virtual machine on Azure, with its secrets.
const AZURE_HOST = '168.63.129.16';

/**
 * Whether webhooks may be sent to an address: one of the public internet that is not this machine's own, or one in the ranges
 * that the operator allows. An IPv4 address mapped into IPv6 is judged as what it is; other ways of carrying IPv4 in IPv6
 * (NAT64, 6to4, Teredo) lead to addresses that nobody has checked and are refused.
 */
export function createAddressRules(allowed: readonly AddressRange[]): (address: string) => boolean {
  return (text) => {
    if (COMPATIBLE.test(text)) return false;
    const address = ipaddr.process(text);
    if (allowed.some((range) => range[0].kind() === address.kind() && address.match(range))) return true;
    if (address.range() !== 'unicast') return false;
    if (address.kind() === 'ipv6' && !address.match(GLOBAL_UNICAST)) return false;
    return address.toString() !== AZURE_HOST && !isOurs(address);
  };
}

function isOurs(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return Object.values(networkInterfaces())
    .flatMap((interfaces) => interfaces ?? [])
    .some((own) => ipaddr.process(own.address).toString() === address.toString());
}
