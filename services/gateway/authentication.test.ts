import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { createAuthentication } from './authentication.ts';

const PEER = '127.0.0.1:1';
const QUOTA = { concurrentSandboxes: 1, concurrentExecutions: 2, queuedExecutions: 3, queueWeight: 4 };

test('a key is asked about once in a while, and again when its organisation has changed', async () => {
  const asked: string[] = [];
  const { authenticate, forget } = createAuthentication({
    credentials: {
      async authenticateApiKey({ secret }) {
        asked.push(secret);
        return { caller: Caller.create({ organizationId: secret.slice(3), apiKeyId: 'key_1' }) };
      },
      getKeySet: async () => ({ json: '' }),
    },
  });
  for (const key of ['dk_a', 'dk_b', 'dk_a']) await authenticate(`Bearer ${key}`, PEER);
  expect(asked).toEqual(['dk_a', 'dk_b']);
  forget('a');
  for (const key of ['dk_a', 'dk_b']) await authenticate(`Bearer ${key}`, PEER);
  expect(asked).toEqual(['dk_a', 'dk_b', 'dk_a']);
});

test('what was asked for before an organisation changed is not kept', async () => {
  const answers: (() => void)[] = [];
  const { authenticate, forget } = createAuthentication({
    credentials: {
      async authenticateApiKey() {
        const answer = Promise.withResolvers<void>();
        answers.push(answer.resolve);
        await answer.promise;
        return { caller: Caller.create({ organizationId: 'a', apiKeyId: 'key_1' }) };
      },
      getKeySet: async () => ({ json: '' }),
    },
  });
  const early = authenticate('Bearer dk_a', PEER);
  await expect.poll(() => answers.length).toBe(1);
  forget('a');
  answers[0]!();
  await early;
  const late = authenticate('Bearer dk_a', PEER);
  await expect.poll(() => answers.length).toBe(2);
  answers[1]!();
  await late;
});

test.each<[string, object, boolean | undefined]>([
  ['of the shared pool', { ...QUOTA, sharedPool: true }, true],
  ['of a pool of its own', { ...QUOTA, sharedPool: false }, false],
  ['that says nothing of pools', QUOTA, true],
  ['of no pool that there is', { ...QUOTA, sharedPool: 'no' }, undefined],
])('a token %s', async (_, quota, sharedPool) => {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'EdDSA' }];
  const { authenticate } = createAuthentication({
    credentials: {
      authenticateApiKey: () => Promise.reject(new Error('it is no key')),
      getKeySet: async () => ({ json: JSON.stringify({ keys }) }),
    },
  });
  const token = await new SignJWT({ key: 'key_1', scopes: [], quota })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
    .setIssuer('drydock')
    .setSubject('org_1')
    .setExpirationTime('1m')
    .sign(privateKey);
  const answer = authenticate(`Bearer ${token}`, PEER);
  if (sharedPool === undefined) await expect(answer).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
  else expect((await answer).quota).toEqual({ ...QUOTA, sharedPool });
});
