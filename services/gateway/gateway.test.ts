import { readFileSync } from 'node:fs';
import { Metadata } from 'nice-grpc-common';
import { expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { readContract } from './contract.ts';
import { readDescriptors } from './descriptors.ts';
import { createGateway } from './gateway.ts';
import { createInFlight } from './in-flight.ts';
import { PUBLIC_METHODS } from './owners.ts';
import { createRateLimit } from './rate-limit.ts';

const BURST = 2;
const contract = readContract(readDescriptors(readFileSync('.build/descriptors.binpb')));

/** A gateway for which a credential is the id of its key. */
function createTestGateway() {
  return createGateway({
    authenticate: async (apiKeyId) => Caller.create({ organizationId: 'org_1', apiKeyId: apiKeyId!, scopes: ['keys'] }),
    revocations: {
      begin({ apiKeyId }) {
        if (apiKeyId === 'revoked') throw new DrydockError('CREDENTIAL_INVALID', 'the API key was revoked');
        return { signal: new AbortController().signal, [Symbol.dispose]() {} };
      },
    },
    rateLimit: createRateLimit({ perSecond: 1, burst: BURST }),
    inFlight: createInFlight({ process: 1_000, organization: 1_000, connection: 1_000 }),
    contract,
    forward: () => Promise.reject(new Error('nothing is forwarded')),
  });
}

const methodNamed = (name: string) => PUBLIC_METHODS.find(({ key }) => key === name)!;
const callBy = (authorization: string) => ({
  metadata: Metadata({ authorization }),
  peer: '127.0.0.1:1',
  signal: new AbortController().signal,
});

test('a credential that was revoked spends none of its organisation’s calls', async () => {
  const gateway = createTestGateway();
  for (let n = 0; n <= BURST; n++)
    await expect(gateway.admit(methodNamed('listOrganizations'), callBy('revoked'))).rejects.toMatchObject({
      reason: 'CREDENTIAL_INVALID',
    });
  for (let n = 0; n < BURST; n++) (await gateway.admit(methodNamed('listApiKeys'), callBy('live')))[Symbol.dispose]();
  await expect(gateway.admit(methodNamed('listApiKeys'), callBy('live'))).rejects.toMatchObject({
    reason: 'RATE_LIMITED',
  });
});
