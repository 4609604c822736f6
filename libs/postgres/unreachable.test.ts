import pino from 'pino';
import { expect, test } from 'vitest';
import { openDatabase } from '#libs/postgres/database.ts';
import { isUnreachable } from '#libs/postgres/unreachable.ts';

const log = pino({ level: 'silent' });
const withCode = (code: string) => Object.assign(new Error('failed'), { code });

test.each([
  ...['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE'],
  ...['57P01', '57P02', '57P03', '53300', '08006'],
])('a statement that failed with %s may succeed later', (code) => {
  expect(isUnreachable(withCode(code))).toBe(true);
});

test.each(['23505', '42P01', '22P02', 'EACCES', 'ERR_TLS_CERT_ALTNAME_INVALID'])('with %s it fails again', (code) => {
  expect(isUnreachable(withCode(code))).toBe(false);
});

test('of two addresses of a name both have to be away', () => {
  const [refused, wrong] = [withCode('ECONNREFUSED'), withCode('EACCES')];
  expect(isUnreachable(new AggregateError([refused, withCode('EHOSTUNREACH')]))).toBe(true);
  expect(isUnreachable(new AggregateError([refused, wrong]))).toBe(false);
});

// Nothing answers at a name that nobody has, and no route leads to an address of class E.
test.each(['nobody.invalid', '240.0.0.1'])(
  'a caller hears when to try again while nothing is found at %s',
  async (host) => {
    await using db = openDatabase(`postgres://drydock@${host}/drydock`, 'house', log);
    const unavailable = { reason: 'SERVICE_UNAVAILABLE', details: { retryAfterMs: 1000 } };
    await expect(db.query('select 1')).rejects.toMatchObject(unavailable);
    await expect(db.transaction((tx) => tx.query('select 1'))).rejects.toMatchObject(unavailable);
  },
);
