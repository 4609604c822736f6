import { expect, test } from 'vitest';
import { createTokens } from './tokens.ts';

/** A token with a lifetime of `seconds`, by a clock that is an hour behind this machine's. */
function token(name: string, seconds: number): string {
  const iat = Math.floor(Date.now() / 1_000) - 3_600;
  const payload = Buffer.from(JSON.stringify({ name, iat, exp: iat + seconds })).toString('base64url');
  return `header.${payload}.signature`;
}

function given(seconds: number) {
  let [now, exchanges] = [0, 0];
  const exchange = async () => token(`${++exchanges}`, seconds);
  const tokens = createTokens('dk_key', exchange, () => now);
  return {
    tokens,
    exchanges: () => exchanges,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('many who ask at once cause one exchange', async () => {
  const { tokens, exchanges } = given(900);
  const got = await Promise.all([tokens.get(), tokens.get(), tokens.get()]);
  expect(new Set(got).size).toBe(1);
  expect(exchanges()).toBe(1);
});

test('a token is renewed before its lifetime is over, though the clocks differ by an hour', async () => {
  const { tokens, exchanges, pass } = given(900);
  const first = await tokens.get();
  pass(700_000);
  expect(await tokens.get()).toBe(first);
  pass(30_000);
  expect(await tokens.get()).not.toBe(first);
  expect(exchanges()).toBe(2);
});

test('a token that was refused is not used again', async () => {
  const { tokens } = given(900);
  const first = await tokens.get();
  expect(tokens.refused(first)).toBe(true);
  const second = await tokens.get();
  expect(second).not.toBe(first);
  // Another call that was sent with the first one.
  tokens.refused(first);
  expect(await tokens.get()).toBe(second);
});

test('an exchange that fails is tried again by the next who asks', async () => {
  let fails = true;
  const tokens = createTokens('dk_key', async () => {
    if (fails) throw new Error('away');
    return token('1', 900);
  });
  await expect(tokens.get()).rejects.toThrow('away');
  fails = false;
  expect(await tokens.get()).toMatch(/^header\./);
});

test('what is a token already is sent as it is', async () => {
  const tokens = createTokens('header.payload.signature', () => Promise.reject(new Error('not exchanged')));
  expect(await tokens.get()).toBe('header.payload.signature');
  expect(tokens.refused('header.payload.signature')).toBe(false);
});
