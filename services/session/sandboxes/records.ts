import type { Catalog } from '#libs/catalog/catalog.ts';
import { DrydockError, invalidField } from '#libs/errors.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { isId, newId } from '#libs/ids.ts';
import { encode, SANDBOX_CHANGED } from '#libs/nats/subjects.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type {
  ChangeSandboxRequest,
  MarkSandboxRunningRequest,
  MarkSandboxStoppedRequest,
  RecordServiceDefinition,
} from '#proto/drydock/internal/v1/session.ts';
import { CreateSandboxRequest, UpdateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import { type Admission, checkSameRequest, contentHash, quotaExceeded } from '../requests/admission.ts';
import { tenancyOf } from '../requests/tenancy.ts';
import type { Wakeups } from '../requests/wakeups.ts';
import { changedEvent, publishChanges } from './changed-event.ts';
import { LIVE, type SandboxRow, toSandbox } from './row.ts';
import { stopSandboxes } from './stop.ts';
import { type CheckedSandbox, checkChange, checkSandbox } from './validation.ts';

export type Dependencies = {
  db: Database;
  catalog: Catalog;
  wakeups: Pick<Wakeups, 'publish' | 'until'>;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

type SandboxRecords = Pick<
  Rpc<RecordServiceDefinition>,
  'insertSandbox' | 'markSandboxRunning' | 'markSandboxStopped' | 'changeSandbox' | 'getRoute' | 'markExecutorLost'
>;

export function createSandboxRecords(dependencies: Dependencies): SandboxRecords {
  const { db, catalog, wakeups, wakeRelay } = dependencies;
  /** The sandbox of the first call with a request id, once it runs. */
  const repeated = (caller: Caller, id: string, sha256: Buffer, signal: AbortSignal) =>
    wakeups.until(id, signal, async () => {
      const row = await findSandbox(db, caller.organizationId, id);
      checkSameRequest(row, sha256);
      if (row.stop_reason === 'FAILED_TO_START')
        throw new DrydockError('SANDBOX_START_FAILED', 'the sandbox could not be started; try again');
      return row.state === 'PENDING' ? undefined : row;
    });

  return {
    async insertSandbox({ request = CreateSandboxRequest.create() }, call) {
      const caller = callerOf(call);
      const checked = checkSandbox(request, catalog);
      const sha256 = contentHash(CreateSandboxRequest, request);
      const admitted = await insertSandbox(db, caller, request, checked, sha256);
      const row = admitted.earlier ? await repeated(caller, admitted.earlier, sha256, call.signal) : admitted;
      const spec = {
        sandboxId: row.id,
        organizationId: caller.organizationId,
        template: checked.template.id,
        limits: checked.limits,
        environment: request.environment,
        expireTime: row.expire_time,
        tenancy: tenancyOf(caller),
      };
      return { sandbox: toSandbox(row), repeatedRequest: admitted.earlier !== null, spec };
    },

    markSandboxRunning: (request, call) => markSandboxRunning(dependencies, request, call),

    markSandboxStopped: (request, call) => markSandboxStopped(dependencies, request, call),

    changeSandbox: (request, call) => changeSandbox(dependencies, request, call),

    async getRoute({ sandboxId }, call) {
      const { organizationId } = callerOf(call);
      const row = await findSandbox(db, organizationId, sandboxId);
      if (row.state !== 'RUNNING') throw notRunning(row);
      return { executorId: row.executor_id };
    },

    async markExecutorLost({ executorId }) {
      // Sandboxes without an executor have the empty id.
      if (!executorId) throw invalidField('executorId', 'is required');
      const lost = { sql: 'executor_id = $1', values: [executorId] };
      const rows = await db.transaction((tx) => stopSandboxes(tx, lost, 'HOST_LOST'));
      if (rows.length > 0) wakeRelay();
      return {};
    },
  };
}

async function markSandboxRunning(
  { db, wakeups, wakeRelay }: Dependencies,
  { sandboxId, executorId }: MarkSandboxRunningRequest,
  call: Call,
) {
  const { organizationId } = callerOf(call);
  checkSandboxId(sandboxId);
  const event = changedEvent({
    id: sandboxId,
    organization_id: organizationId,
    executor_id: executorId,
    state: 'RUNNING',
    stop_reason: 'STOP_REASON_UNSPECIFIED',
  });
  const [row] = await db.queryPrepared<SandboxRow>(
    `with moved as (
       update sandboxes set state = 'RUNNING', executor_id = $3, start_time = now()
       where id = $1 and organization_id = $2 and state = 'PENDING' returning *
     ), told as (
       insert into outbox (id, subject, payload) select $4, $5, $6 from moved
     )
     select * from moved`,
    [sandboxId, organizationId, executorId, newId('evt'), SANDBOX_CHANGED.subject, encode(SANDBOX_CHANGED, event)],
  );
  if (!row) throw notRunning(await findSandbox(db, organizationId, sandboxId));
  wakeups.publish(sandboxId);
  wakeRelay();
  return { sandbox: toSandbox(row) };
}

async function markSandboxStopped(
  { db, wakeups, wakeRelay }: Dependencies,
  { sandboxId, reason }: MarkSandboxStoppedRequest,
  call: Call,
) {
  const { organizationId } = callerOf(call);
  checkSandboxId(sandboxId);
  const own = { sql: 'id = $1 and organization_id = $2', values: [sandboxId, organizationId] };
  const [stopped] = await db.transaction((tx) => stopSandboxes(tx, own, reason));
  if (stopped) {
    wakeups.publish(sandboxId);
    wakeRelay();
  }
  const row = stopped ?? (await findSandbox(db, organizationId, sandboxId));
  return { sandbox: toSandbox(row), executorId: row.executor_id };
}

async function changeSandbox(
  { db, wakeRelay }: Dependencies,
  { request = UpdateSandboxRequest.create() }: ChangeSandboxRequest,
  call: Call,
) {
  const { organizationId } = callerOf(call);
  const { sandboxId } = request;
  const { lifetimeMs, metadata } = checkChange(request);
  checkSandboxId(sandboxId);
  const row = await db.transaction(async (tx) => {
    const [row] = await tx.query<SandboxRow>(
      `update sandboxes set
         expire_time = coalesce(now() + $3::float8 * interval '1 ms', expire_time),
         metadata = coalesce($4::jsonb, metadata)
       where id = $1 and organization_id = $2 and state = any($5) returning *`,
      [sandboxId, organizationId, lifetimeMs ?? null, metadata ? JSON.stringify(metadata) : null, LIVE],
    );
    if (row) await publishChanges(tx, row);
    return row;
  });
  if (!row) throw notRunning(await findSandbox(db, organizationId, sandboxId));
  wakeRelay();
  return { sandbox: toSandbox(row), executorId: row.executor_id };
}

/** One statement, one round trip: the organisation's lock, the request id, the quota and the row. Errors: QUOTA_EXCEEDED. */
async function insertSandbox(
  db: Database,
  caller: Caller,
  request: CreateSandboxRequest,
  { template, limits, lifetimeMs }: CheckedSandbox,
  sha256: Buffer,
): Promise<SandboxRow & Admission> {
  const [row] = await db.queryPrepared<SandboxRow & Admission>(
    `with admitted as materialized (
       select * from admit($2, $3, 'sandbox')
     ), inserted as (
       insert into sandboxes (id, organization_id, request_id, request_sha256, template, state, limits, metadata, expire_time)
       select $1, $2, $3, $4, $5, 'PENDING', $6, $7, now() + $8::float8 * interval '1 ms'
       from admitted where earlier is null and live < $9 returning *
     )
     select * from admitted left join inserted on true`,
    [
      newId('sbx'),
      caller.organizationId,
      request.requestId || null,
      sha256,
      template.id,
      JSON.stringify(limits),
      JSON.stringify(request.metadata),
      lifetimeMs,
      caller.quota?.concurrentSandboxes ?? 0,
    ],
  );
  if (!row!.earlier && !row!.id) throw quotaExceeded(caller, row!.live);
  return row!;
}

const noSandbox = () => new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');

/** A malformed id is answered like an unknown one, and never reaches SQL. Errors: SANDBOX_NOT_FOUND. */
function checkSandboxId(id: string): void {
  if (!isId('sbx', id)) throw noSandbox();
}

export async function findSandbox(db: Queryable, organizationId: string, id: string): Promise<SandboxRow> {
  checkSandboxId(id);
  const [row] = await db.query<SandboxRow>('select * from sandboxes where id = $1 and organization_id = $2', [
    id,
    organizationId,
  ]);
  if (!row) throw noSandbox();
  return row;
}

function notRunning({ state, stop_reason }: SandboxRow): DrydockError {
  const stopped = state === 'STOPPED';
  const advice = stopped ? `stopped (${stop_reason}); create another` : `${state}; wait until it is RUNNING`;
  return new DrydockError('SANDBOX_NOT_RUNNING', `the sandbox is ${advice}`, {
    metadata: { state, ...(stopped ? { stop_reason } : {}) },
  });
}
