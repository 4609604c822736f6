import { DrydockError } from '#libs/errors.ts';
import { checkFields } from '#libs/field-checks.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { isId, newId } from '#libs/ids.ts';
import { API_KEY_REVOKED, ORGANIZATION_CHANGED, ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import { readPage, toPage } from '#libs/pages.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import { writeOutbox } from '#libs/postgres/outbox.ts';
import type { AppliedQuota, Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { AuthServiceDefinition, Organization } from '#proto/drydock/v1/auth.ts';
import {
  CreateApiKeyRequest,
  CreateOrganizationRequest,
  DeleteOrganizationRequest,
  type RevokeApiKeyRequest,
  UpdateOrganizationRequest,
} from '#proto/drydock/v1/auth.ts';
import { checkExpireTime, insertKey, makeKey, revokeDescendants, revokeKeys, toApiKey } from './api-keys.ts';
import { audit } from './audit.ts';
import { findHolder } from './credentials.ts';
import { type Change, checkChange } from './organization-change.ts';
import { applyQuota, checkQuota, type QuotaRow, quotaOf } from './quota.ts';
import { once } from './requests.ts';
import { newSecret } from './secrets.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Every scope; `TENANT_SCOPES` are those that an organisation's own keys may have. */
export const SCOPES = ['sandboxes', 'executions', 'keys', 'operator'];
const TENANT_SCOPES = SCOPES.filter((scope) => scope !== 'operator');

export type Dependencies = {
  db: Database;
  signingKeys: SigningKeys;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

export function createAuth(dependencies: Dependencies): Rpc<AuthServiceDefinition> {
  const { db, signingKeys } = dependencies;
  return {
    async exchangeToken(_, call) {
      // Read anew: a token must not outlive its key by being exchanged for another.
      const { caller, expireTime } = await findHolder(db, callerOf(call).apiKeyId);
      if (!caller) throw new DrydockError('CREDENTIAL_INVALID', 'the API key is unknown, expired or revoked');
      return signingKeys.sign(caller, expireTime);
    },

    createOrganization: (request, call) => createOrganization(dependencies, request, call),

    async getOrganization({ organizationId }, call) {
      const caller = callerOf(call);
      if (organizationId !== caller.organizationId && !caller.scopes.includes('operator')) throw noOrganization();
      return { organization: await findOrganization(db, organizationId) };
    },

    async listOrganizations(request, call) {
      withScope(call, 'operator');
      const { limit, after } = readPage(request);
      const rows = await db.query(
        `select * from organizations where delete_time is null and ($1::text is null or id < $1)
         order by id desc limit $2`,
        [after ?? null, limit + 1],
      );
      const { page, nextPageToken } = toPage(rows, limit, ({ id }) => id);
      return { organizations: page.map(toOrganization), nextPageToken };
    },

    updateOrganization: (request, call) => updateOrganization(dependencies, request, call),

    deleteOrganization: (request, call) => deleteOrganization(dependencies, request, call),

    createApiKey: (request, call) => createApiKey(dependencies, request, call),

    async listApiKeys(request, call) {
      const { organizationId } = withScope(call, 'keys');
      const { limit, after } = readPage(request);
      const rows = await db.query(
        `select * from api_keys where organization_id = $1 and ($2::text is null or id < $2) order by id desc limit $3`,
        [organizationId, after ?? null, limit + 1],
      );
      const { page, nextPageToken } = toPage(rows, limit, ({ id }) => id);
      return { apiKeys: page.map(toApiKey), nextPageToken };
    },

    revokeApiKey: (request, call) => revokeApiKey(dependencies, request, call),
  };
}

async function createOrganization({ db }: Dependencies, request: CreateOrganizationRequest, call: Call) {
  const caller = withScope(call, 'operator');
  const check = checkFields();
  check.string('displayName', request.displayName, { required: true, maxLength: 128 });
  check.string('requestId', request.requestId, { maxLength: 128 });
  checkQuota(request.quota, check);
  check.done();
  const secret = newSecret();
  return db.transaction(async (tx) => {
    const content = CreateOrganizationRequest.encode(request).finish();
    const asked = {
      organizationId: caller.organizationId,
      requestId: request.requestId,
      action: 'CreateOrganization',
      content,
    };
    const { id, repeated } = await once(tx, asked, newId('org'));
    if (!repeated) {
      await insertOrganization(tx, id, request.displayName, applyQuota(request.quota));
      await insertKey(tx, { organizationId: id, displayName: 'first key', scopes: TENANT_SCOPES, secret });
      await audit(tx, caller, 'CreateOrganization', id);
    }
    const [key] = await tx.query('select * from api_keys where organization_id = $1 order by id limit 1', [id]);
    return { organization: await findOrganization(tx, id), apiKey: toApiKey(key), secret: repeated ? '' : secret };
  });
}

async function updateOrganization({ db, wakeRelay }: Dependencies, request: UpdateOrganizationRequest, call: Call) {
  const caller = withScope(call, 'operator');
  const { organizationId, requestId } = request;
  const change = checkChange(request);
  if (!isId('org', organizationId)) throw noOrganization();
  const organization = await db.transaction(async (tx) => {
    const content = UpdateOrganizationRequest.encode(request).finish();
    const asked = { organizationId: caller.organizationId, requestId, action: 'UpdateOrganization', content };
    const { repeated } = await once(tx, asked, organizationId);
    if (repeated) return findOrganization(tx, organizationId);
    const row = await changeOrganization(tx, organizationId, change);
    const event = { organizationId, quota: quotaOf(row), changeTime: row.change_time };
    await writeOutbox(tx, ORGANIZATION_CHANGED, event);
    await audit(tx, caller, 'UpdateOrganization', organizationId);
    return toOrganization(row);
  });
  wakeRelay();
  return { organization };
}

async function deleteOrganization({ db, wakeRelay }: Dependencies, request: DeleteOrganizationRequest, call: Call) {
  const caller = withScope(call, 'operator');
  const { organizationId, requestId } = request;
  const check = checkFields();
  check.string('requestId', requestId, { maxLength: 128 });
  if (organizationId === caller.organizationId) check.violation('organizationId', "is the caller's own");
  check.done();
  if (!isId('org', organizationId)) throw noOrganization();
  await db.transaction(async (tx) => {
    const content = DeleteOrganizationRequest.encode(request).finish();
    const asked = { organizationId: caller.organizationId, requestId, action: 'DeleteOrganization', content };
    const { repeated } = await once(tx, asked, organizationId);
    if (repeated || !(await markDeleted(tx, organizationId))) return;
    await revokeKeys(tx, organizationId);
    await writeOutbox(tx, ORGANIZATION_DELETED, { organizationId });
    await audit(tx, caller, 'DeleteOrganization', organizationId);
  });
  wakeRelay();
  return {};
}

async function createApiKey({ db }: Dependencies, request: CreateApiKeyRequest, call: Call) {
  const caller = withScope(call, 'keys');
  const usual = caller.scopes.filter((scope) => scope !== 'operator');
  const scopes = request.scopes.length > 0 ? [...new Set(request.scopes)] : usual;
  const check = checkFields();
  check.string('displayName', request.displayName, { required: true, maxLength: 128 });
  check.string('requestId', request.requestId, { maxLength: 128 });
  for (const scope of scopes)
    if (!caller.scopes.includes(scope))
      check.violation('scopes', `'${firstCharacters(scope, 32)}' is not among the caller's own`);
  checkExpireTime(check, request.expireTime);
  check.done();
  const secret = newSecret();
  const { organizationId } = caller;
  const { displayName, expireTime } = request;
  return db.transaction(async (tx) => {
    const content = CreateApiKeyRequest.encode(request).finish();
    const asked = { organizationId, requestId: request.requestId, action: 'CreateApiKey', content };
    const { id, repeated } = await once(tx, asked, newId('key'));
    if (!repeated) {
      await makeKey(tx, caller, { id, displayName, scopes, secret, expireTime });
      await audit(tx, caller, 'CreateApiKey', id);
    }
    const [key] = await tx.query('select * from api_keys where id = $1', [id]);
    return { apiKey: toApiKey(key), secret: repeated ? '' : secret };
  });
}

async function revokeApiKey(
  { db, wakeRelay }: Dependencies,
  { apiKeyId, revokeDescendants: descendants }: RevokeApiKeyRequest,
  call: Call,
) {
  const caller = withScope(call, 'keys');
  if (!isId('key', apiKeyId)) throw noApiKey();
  await db.transaction(async (tx) => {
    const wasLive = await markRevoked(tx, apiKeyId, caller.organizationId);
    // Asked for later, too: they may be taken along after the key itself.
    if (descendants) await revokeDescendants(tx, caller, apiKeyId);
    if (!wasLive) return;
    const event = { apiKeyId, organizationId: caller.organizationId };
    await writeOutbox(tx, API_KEY_REVOKED, event);
    await audit(tx, caller, 'RevokeApiKey', apiKeyId);
  });
  wakeRelay();
  return {};
}

function withScope(call: Call, scope: string): Caller {
  const caller = callerOf(call);
  if (!caller.scopes.includes(scope))
    throw new DrydockError('SCOPE_MISSING', `the credential lacks the scope '${scope}'`, { metadata: { scope } });
  return caller;
}

const noApiKey = () => new DrydockError('API_KEY_NOT_FOUND', 'no such API key');

const noOrganization = () => new DrydockError('ORGANIZATION_NOT_FOUND', 'no such organisation');

async function findOrganization(db: Queryable, id: string): Promise<Organization> {
  const [row] = isId('org', id)
    ? await db.query('select * from organizations where id = $1 and delete_time is null', [id])
    : [];
  if (!row) throw noOrganization();
  return toOrganization(row);
}

async function changeOrganization(tx: Queryable, id: string, { displayName, quota }: Change) {
  // The clock and not the transaction's time: of two changes, the one that waited for the other is the later one.
  const [row] = await tx.query<OrganizationRow & { change_time: Date }>(
    `update organizations set display_name = coalesce($2, display_name),
       concurrent_sandboxes = coalesce($3, concurrent_sandboxes),
       concurrent_executions = coalesce($4, concurrent_executions),
       queued_executions = coalesce($5, queued_executions),
       queue_weight = coalesce($6, queue_weight),
       shared_pool = coalesce($7, shared_pool),
       blob_bytes = coalesce($8, blob_bytes)
     where id = $1 and delete_time is null returning *, clock_timestamp() as change_time`,
    [
      id,
      displayName,
      quota?.concurrentSandboxes,
      quota?.concurrentExecutions,
      quota?.queuedExecutions,
      quota?.queueWeight,
      quota?.sharedPool,
      quota?.blobBytes,
    ],
  );
  if (!row) throw noOrganization();
  return row;
}

/** False if it was already deleted. Errors: ORGANIZATION_NOT_FOUND. */
async function markDeleted(tx: Queryable, id: string): Promise<boolean> {
  const [deleted] = await tx.query(
    'update organizations set delete_time = now() where id = $1 and delete_time is null returning id',
    [id],
  );
  if (deleted) return true;
  const [earlier] = await tx.query('select from organizations where id = $1', [id]);
  if (!earlier) throw noOrganization();
  return false;
}

/** False if it was already revoked. Errors: API_KEY_NOT_FOUND. */
async function markRevoked(tx: Queryable, id: string, organizationId: string): Promise<boolean> {
  const [revoked] = await tx.query(
    `update api_keys set revoke_time = now() where id = $1 and organization_id = $2 and revoke_time is null returning id`,
    [id, organizationId],
  );
  if (revoked) return true;
  const [earlier] = await tx.query('select from api_keys where id = $1 and organization_id = $2', [id, organizationId]);
  if (!earlier) throw noApiKey();
  return false;
}

export async function insertOrganization(
  tx: Queryable,
  id: string,
  displayName: string,
  { concurrentSandboxes, concurrentExecutions, queuedExecutions, queueWeight, sharedPool, blobBytes }: AppliedQuota,
): Promise<void> {
  await tx.query(
    `insert into organizations
       (id, display_name, concurrent_sandboxes, concurrent_executions, queued_executions, queue_weight, shared_pool,
        blob_bytes)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [id, displayName, concurrentSandboxes, concurrentExecutions, queuedExecutions, queueWeight, sharedPool, blobBytes],
  );
}

type OrganizationRow = { id: string; display_name: string; create_time: Date } & QuotaRow;

function toOrganization(row: OrganizationRow): Organization {
  return {
    id: row.id,
    displayName: row.display_name,
    quota: quotaOf(row),
    createTime: row.create_time,
  };
}
