import { createHash } from 'node:crypto';
import { type Endpoints, startedId } from '../../support/api.ts';
import { createTenant, type Tenant } from '../../support/tenants.ts';

/** Of one of everything, by the fields of requests that name it. */
export type Ids = {
  organizationId: string;
  /** Of a key that nobody uses. */
  apiKeyId: string;
  sandboxId: string;
  /** Of `cat` on a terminal. */
  processId: string;
  /** Of one that has ended. */
  executionId: string;
  webhookId: string;
  deliveryId: string;
  /** Of a blob. */
  sha256: string;
  testSetId: string;
};

export const UNKNOWN_IDS: Ids = {
  organizationId: 'org_01jv0000000000000000000000',
  apiKeyId: 'key_01jv0000000000000000000000',
  sandboxId: 'sbx_01jv0000000000000000000000',
  processId: 'prc_01jv0000000000000000000000',
  executionId: 'exe_01jv0000000000000000000000',
  webhookId: 'whk_01jv0000000000000000000000',
  deliveryId: 'dlv_01jv0000000000000000000000',
  sha256: '0'.repeat(64),
  testSetId: 'tst_01jv0000000000000000000000',
};

export type Owner = Tenant & { ids: Ids };

export const hashOf = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

/** An organisation that has one of everything. */
export async function createOwner(platform: Endpoints & { apiKey: string }): Promise<Owner> {
  const tenant = await createTenant(platform);
  const { api, http, organization } = tenant;
  const post = async (path: string, body: object) => (await http('POST', path, body)).body;
  // The webhook first: it is told of executions that end later.
  const { webhook } = await post('/v1/webhooks', { url: 'https://nobody.invalid/' });
  const { apiKey } = await post('/v1/apiKeys', { displayName: 'unused' });
  const [sandbox, execution] = await Promise.all([
    api.createSandbox(),
    post('/v1/executions', { language: 'python', source: 'print(1)' }),
  ]);
  const terminal = { columns: 80, rows: 24 };
  const [processId] = await Promise.all([
    startedId(api.start(sandbox.id, ['cat'], { detached: true, terminal })),
    http('GET', `/v1/executions/${execution.id}?wait=60s`),
  ]);
  const { deliveries } = (await http('GET', `/v1/webhooks/${webhook.id}/deliveries`)).body;
  // Its input is a blob that no other organisation has.
  const testSet = await post('/v1/testSets', { name: 'own', cases: [{ stdin: organization!.id }] });
  const ids = {
    organizationId: organization!.id,
    apiKeyId: apiKey.id,
    sandboxId: sandbox.id,
    processId,
    executionId: execution.id,
    webhookId: webhook.id,
    deliveryId: deliveries[0].id,
    sha256: hashOf(organization!.id),
    testSetId: testSet.id,
  };
  return { ...tenant, ids };
}
