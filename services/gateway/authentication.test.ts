import { createHash, randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import type { ApiKeyHolder } from '#proto/drydock/internal/v1/auth.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { createAuthentication, type Dependencies } from './authentication.ts';

const QUOTA = { concurrentSandboxes: 1, concurrentExecutions: 2, queuedExecutions: 3, queueWeight: 4 };

const hash = (secret: string) => createHash('sha256').update(secret).digest('hex');
const known = { revocationsKnown: () => true };
const randomKey = () => `Bearer dk_${randomBytes(32).toString('base64url')}`;

/** An auth that knows these secrets, by the organisations that they belong to, and notes what it is asked. */
function authOf(
  organizations: Record<string, string>,
  answer: () => Promise<void> = async () => {},
  expireTime: Date | undefined = undefined,
) {
  const holders = new Map<string, ApiKeyHolder>();
  for (const [secret, organizationId] of Object.entries(organizations))
    holders.set(hash(secret), { caller: Caller.create({ organizationId, apiKeyId: `key_${secret}` }), expireTime });
  const questions: string[][] = [];
  const credentials: Dependencies['credentials'] = {
    async authenticateApiKeys({ secretSha256s }) {
      const asked = secretSha256s.map((sha256) => Buffer.from(sha256).toString('hex'));
      questions.push(asked);
      await answer();
      return { holders: asked.map((each) => holders.get(each) ?? { caller: undefined, expireTime: undefined }) };
    },
    getKeySet: async () => ({ json: '{"keys":[]}' }),
  };
  return { credentials, questions };
}

test('a key is asked about once in a while, and again when its organisation has changed', async () => {
  const { credentials, questions } = authOf({ dk_a: 'a', dk_b: 'b' });
  const { authenticate, forget } = createAuthentication({ ...known, credentials });
  for (const key of ['dk_a', 'dk_b', 'dk_a']) await authenticate(`Bearer ${key}`);
  expect(questions).toEqual([[hash('dk_a')], [hash('dk_b')]]);
  forget('a');
  for (const key of ['dk_a', 'dk_b']) await authenticate(`Bearer ${key}`);
  expect(questions.slice(2)).toEqual([[hash('dk_a')]]);
});

test('what was asked for before an organisation changed is not kept', async () => {
  const answers: (() => void)[] = [];
  const answer = () => new Promise<void>((resolve) => answers.push(resolve));
  const { credentials, questions } = authOf({ dk_a: 'a' }, answer);
  const { authenticate, forget } = createAuthentication({ ...known, credentials });
  const early = authenticate('Bearer dk_a');
  forget('a');
  answers[0]!();
  await early;
  const late = authenticate('Bearer dk_a');
  expect(questions).toHaveLength(2);
  answers[1]!();
  await late;
});

test('a key that expires is not remembered for longer', async () => {
  let now = 1_000;
  const { credentials, questions } = authOf({ dk_a: 'a' }, undefined, new Date(6_000));
  const { authenticate } = createAuthentication({ ...known, credentials, now: () => now });
  for (const time of [1_000, 5_999, 6_001]) {
    now = time;
    await authenticate('Bearer dk_a');
  }
  expect(questions).toHaveLength(2);
});

test.each([
  ['no header', undefined],
  ['an empty one', ''],
  ['another scheme', 'Basic dk_a'],
  ['two credentials in one', 'Bearer dk_a dk_a'],
  ['too long a one', `Bearer ${'x'.repeat(9_000)}`],
  ['two headers, the right one first', 'Bearer dk_a, Bearer dk_b'],
  ['two headers that are alike', 'Bearer dk_a, Bearer dk_a'],
  ['two headers, the second empty', 'Bearer dk_a, '],
  ['two headers, the first empty', ', Bearer dk_a'],
])('%s is refused, and auth is not asked', async (_, authorization) => {
  const { credentials, questions } = authOf({ dk_a: 'a' });
  const { authenticate } = createAuthentication({ ...known, credentials });
  await expect(authenticate(authorization)).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
  expect(questions).toEqual([]);
});

describe('wrong keys', () => {
  test('do not keep a right one out, however many and from wherever they come', async () => {
    const { credentials } = authOf({ dk_right: 'a' });
    const { authenticate } = createAuthentication({ ...known, credentials });
    for (let n = 0; n < 1_000; n++)
      await expect(authenticate(randomKey())).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
    expect(await authenticate('Bearer dk_right')).toMatchObject({ organizationId: 'a' });
  });

  test('that come at once cost auth four questions at a time, and a right one behind them is answered', async () => {
    let open = 0;
    let most = 0;
    const { credentials, questions } = authOf({ dk_right: 'a' }, async () => {
      most = Math.max(most, ++open);
      await new Promise(setImmediate);
      open--;
    });
    const { authenticate } = createAuthentication({ ...known, credentials });
    const wrong = Array.from({ length: 5_000 }, () => authenticate(randomKey()).catch(({ reason }) => reason));
    expect(await authenticate('Bearer dk_right')).toMatchObject({ organizationId: 'a' });
    expect(new Set(await Promise.all(wrong))).toEqual(new Set(['CREDENTIAL_INVALID']));
    expect(most).toBe(4);
    expect(questions.length).toBeLessThanOrEqual(4 + 5_000 / 250);
  });

  test('that are repeated are asked about once in five seconds', async () => {
    let now = 0;
    const { credentials, questions } = authOf({});
    const { authenticate } = createAuthentication({ ...known, credentials, now: () => now });
    const refused = { reason: 'CREDENTIAL_INVALID', message: 'the API key is unknown, expired or revoked' };
    for (const [time, asked] of [
      [1, 1],
      [4_999, 1],
      [5_002, 2],
    ] as const) {
      now = time;
      await expect(authenticate('Bearer dk_old')).rejects.toMatchObject(refused);
      expect(questions).toHaveLength(asked);
    }
  });

  test('push out no right one', async () => {
    const { credentials, questions } = authOf({ dk_right: 'a' });
    const { authenticate } = createAuthentication({ ...known, credentials });
    await authenticate('Bearer dk_right');
    await Promise.all(Array.from({ length: 12_000 }, () => authenticate(randomKey()).catch(() => {})));
    const before = questions.length;
    await authenticate('Bearer dk_right');
    expect(questions).toHaveLength(before);
  });
});

describe('while auth', () => {
  test('is silent, what has waited for long and what finds the line full is told to try again', async () => {
    let now = 0;
    const answers: (() => void)[] = [];
    const { credentials } = authOf({ dk_late: 'a' }, () => new Promise<void>((resolve) => answers.push(resolve)));
    const { authenticate } = createAuthentication({ ...known, credentials, now: () => now });
    const unavailable = { reason: 'SERVICE_UNAVAILABLE', details: { retryAfterMs: 1_000 } };
    const waiting = Array.from({ length: 20_004 }, () => authenticate(randomKey()).catch((error) => error));
    await expect(authenticate(randomKey())).rejects.toMatchObject(unavailable);
    now = 5_001;
    answers[0]!();
    expect((await Promise.all([...waiting.slice(0, 1), ...waiting.slice(4)]))[1]).toMatchObject(unavailable);
    const late = authenticate('Bearer dk_late');
    for (const answer of answers) answer();
    expect(await late).toMatchObject({ organizationId: 'a' });
  });

  test.each(['SERVICE_UNAVAILABLE', 'DEADLINE_TOO_SHORT'] as const)(
    'answers %s, all that wait hear it',
    async (reason) => {
      let away = true;
      const { credentials } = authOf({ dk_a: 'a' }, async () => {
        if (away) throw new DrydockError(reason, 'away');
      });
      const { authenticate } = createAuthentication({ ...known, credentials });
      const refused = await Promise.allSettled(Array.from({ length: 500 }, () => authenticate(randomKey())));
      for (const each of refused)
        expect(each).toMatchObject({ reason: { reason: 'SERVICE_UNAVAILABLE', details: { retryAfterMs: 1_000 } } });
      away = false;
      expect(await authenticate('Bearer dk_a')).toMatchObject({ organizationId: 'a' });
    },
  );
});

/** An auth that signs tokens and has no API key. */
async function signer() {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'EdDSA' }];
  const credentials: Dependencies['credentials'] = {
    authenticateApiKeys: () => Promise.reject(new Error('it is no key')),
    getKeySet: async () => ({ json: JSON.stringify({ keys }) }),
  };
  const sign = async (quota: object) => {
    const token = new SignJWT({ key: 'key_1', scopes: [], quota })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
      .setIssuer('drydock')
      .setSubject('org_1')
      .setExpirationTime('1m');
    return `Bearer ${await token.sign(privateKey)}`;
  };
  return { credentials, sign };
}

test.each<[string, object, boolean | undefined]>([
  ['of the shared pool', { ...QUOTA, sharedPool: true }, true],
  ['of a pool of its own', { ...QUOTA, sharedPool: false }, false],
  ['that says nothing of pools', QUOTA, true],
  ['of no pool that there is', { ...QUOTA, sharedPool: 'no' }, undefined],
])('a token %s', async (_, quota, sharedPool) => {
  const { credentials, sign } = await signer();
  const { authenticate } = createAuthentication({ ...known, credentials });
  const answer = authenticate(await sign(quota));
  if (sharedPool === undefined) await expect(answer).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
  else expect((await answer).quota).toEqual({ ...QUOTA, sharedPool, blobBytes: 10 * 1024 ** 3 });
});

test('a token is refused until it is known what was revoked, and one that is forged at once', async () => {
  const { credentials, sign } = await signer();
  let revocationsKnown = false;
  const { authenticate } = createAuthentication({ credentials, revocationsKnown: () => revocationsKnown });
  const token = await sign(QUOTA);
  await expect(authenticate(token)).rejects.toMatchObject({
    reason: 'SERVICE_UNAVAILABLE',
    details: { retryAfterMs: 1_000 },
  });
  await expect(authenticate(`${token}x`)).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
  revocationsKnown = true;
  expect(await authenticate(token)).toMatchObject({ organizationId: 'org_1' });
});
