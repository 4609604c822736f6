import { randomBytes } from 'node:crypto';

export type IdPrefix = 'org' | 'req' | 'key' | 'sbx' | 'prc' | 'exe' | 'ins' | 'evt' | 'whk' | 'dlv' | 'cnt' | 'tst';

const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 26;
const SHAPE = /^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** A prefix and a UUIDv7 in lower-case Crockford base32, such as `sbx_01jv…`: sorts by time, safe in host names. */
export function newId(prefix: IdPrefix, now = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return `${prefix}_${base32(bytes)}`;
}

/** Whether a value has the shape of an id with this prefix. */
export function isId(prefix: IdPrefix, value: string): boolean {
  return value.startsWith(`${prefix}_`) && SHAPE.test(value);
}

/** An id derived from a name: a repeated request finds what the first one made. */
export function idFrom(prefix: IdPrefix, digest: Buffer): string {
  return `${prefix}_${base32(digest.subarray(0, 16))}`;
}

function base32(bytes: Buffer): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (let i = 0; i < LENGTH; i++) {
    text = CROCKFORD[Number(rest & 31n)] + text;
    rest >>= 5n;
  }
  return text;
}
