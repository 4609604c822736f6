import { createHash } from 'node:crypto';
import type { Catalog } from '#libs/catalog/catalog.ts';
import type { Database, Queryable } from '#libs/database.ts';
import { DrydockError } from '#libs/errors.ts';
import { checkFields } from '#libs/field-checks.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { isId, newId } from '#libs/ids.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { Execution, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { CreateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import { announce } from './announce.ts';
import { type ExecutionRow, type SandboxRow, toExecution, toSandbox } from './rows.ts';
import { checkExecution, checkLifetime, checkMetadata, checkSandbox } from './validation.ts';

export type Dependencies = {
  db: Database;
  catalog: Catalog;
  /** There are events to send. */
  changed: () => void;
};

export function createRecords({ db, catalog, changed }: Dependencies): Rpc<RecordServiceDefinition> {
  return {
    async insertSandbox({ request = CreateSandboxRequest.create() }, call) {
      const caller = callerOf(call);
      const { template, limits, lifetimeMs } = checkSandbox(request, catalog);
      const { row, repeated } = await db.transaction(async (tx) => {
        const content = CreateSandboxRequest.encode(request).finish();
        const earlier = await enter<SandboxRow>(tx, caller, 'sandboxes', request.requestId, content);
        if (earlier) return { row: earlier, repeated: true };
        await checkQuota(tx, caller);
        const [row] = await tx.query<SandboxRow>(
          `insert into sandboxes (id, organization_id, request_id, request_sha256, template, state, limits, metadata, expire_time)
           values ($1, $2, $3, $4, $5, 'PENDING', $6, $7, now() + $8 * interval '1 ms') returning *`,
          [
            newId('sbx'),
            caller.organizationId,
            request.requestId || null,
            sha256(content),
            template.id,
            JSON.stringify(limits),
            JSON.stringify(request.metadata),
            lifetimeMs,
          ],
        );
        return { row: row!, repeated: false };
      });
      const spec = {
        sandboxId: row.id,
        organizationId: caller.organizationId,
        template: template.id,
        limits,
        environment: request.environment,
        expireTime: row.expire_time,
      };
      return { sandbox: toSandbox(row), repeatedRequest: repeated, spec };
    },

    async markSandboxRunning({ sandboxId, executorId }, call) {
      const { organizationId } = callerOf(call);
      const [row] = await db.query<SandboxRow>(
        `update sandboxes set state = 'RUNNING', executor_id = $3, start_time = now()
         where id = $1 and organization_id = $2 and state = 'PENDING' returning *`,
        [sandboxId, organizationId, executorId],
      );
      if (!row) throw await whyNot(db, organizationId, sandboxId);
      return { sandbox: toSandbox(row) };
    },

    async markSandboxStopped({ sandboxId, reason }, call) {
      const { organizationId } = callerOf(call);
      checkSandboxId(sandboxId);
      // A failed start gives its request id back, so that trying again with it makes another sandbox.
      const stopped = await db.transaction(async (tx) => {
        const [row] = await tx.query<SandboxRow>(
          `update sandboxes set state = 'STOPPED', stop_reason = $3, stop_time = now(),
             request_id = case when $3 = 'FAILED_TO_START' then null else request_id end
           where id = $1 and organization_id = $2 and state <> 'STOPPED' returning *`,
          [sandboxId, organizationId, reason],
        );
        if (row) await announce(tx, row);
        return row;
      });
      if (stopped) changed();
      const row = stopped ?? (await findSandbox(db, organizationId, sandboxId));
      return { sandbox: toSandbox(row), executorId: row.executor_id };
    },

    async changeSandbox({ request }, call) {
      const { organizationId } = callerOf(call);
      const { sandboxId = '', lifetime, metadata = {}, updateMask } = request ?? {};
      const paths: string[] = updateMask ?? [
        ...(lifetime ? ['lifetime'] : []),
        ...(Object.keys(metadata).length > 0 ? ['metadata'] : []),
      ];
      const check = checkFields();
      for (const path of paths)
        if (path !== 'lifetime' && path !== 'metadata') check.violation('updateMask', `cannot change '${path.slice(0, 64)}'`);
      if (paths.length === 0) check.violation('updateMask', 'names nothing to change');
      if (paths.includes('lifetime') && !lifetime) check.violation('lifetime', 'is required');
      const lifetimeMs = paths.includes('lifetime') ? checkLifetime(check, lifetime) : undefined;
      checkMetadata(check, metadata);
      check.done();
      checkSandboxId(sandboxId);
      const [row] = await db.query<SandboxRow>(
        `update sandboxes set
           expire_time = case when $3::float8 is null then expire_time else now() + $3 * interval '1 ms' end,
           metadata = coalesce($4::jsonb, metadata)
         where id = $1 and organization_id = $2 and state in ('PENDING', 'RUNNING', 'PAUSED') returning *`,
        [sandboxId, organizationId, lifetimeMs ?? null, paths.includes('metadata') ? JSON.stringify(metadata) : null],
      );
      if (!row) throw await whyNot(db, organizationId, sandboxId);
      return { sandbox: toSandbox(row), executorId: row.executor_id };
    },

    async getRoute({ sandboxId }, call) {
      const { organizationId } = callerOf(call);
      const row = await findSandbox(db, organizationId, sandboxId);
      if (row.state !== 'RUNNING') throw notRunning(row);
      return { executorId: row.executor_id };
    },

    async insertExecution({ request = RunCodeRequest.create() }, call) {
      const caller = callerOf(call);
      const { language, template, spec, sandboxLimits, lifetimeMs } = checkExecution(request, catalog);
      const { row, repeated } = await db.transaction(async (tx) => {
        const content = RunCodeRequest.encode(request).finish();
        const earlier = await enter<ExecutionRow>(tx, caller, 'executions', request.requestId, content);
        if (earlier) return { row: earlier, repeated: true };
        await checkQuota(tx, caller);
        const [row] = await tx.query<ExecutionRow & { deadline: Date }>(
          `insert into executions (id, organization_id, request_id, request_sha256, language, template, state, deadline)
           values ($1, $2, $3, $4, $5, $6, 'RUNNING', now() + $7 * interval '1 ms') returning *`,
          [newId('exe'), caller.organizationId, request.requestId || null, sha256(content), language, template.id, lifetimeMs],
        );
        return { row: row!, repeated: false };
      });
      const sandbox = {
        sandboxId: newId('sbx'),
        organizationId: caller.organizationId,
        template: template.id,
        limits: sandboxLimits,
        environment: {},
        expireTime: new Date(row.create_time.getTime() + lifetimeMs),
      };
      return { execution: toExecution(row), repeatedRequest: repeated, spec: { ...spec, executionId: row.id, sandbox } };
    },

    async completeExecution({ execution = Execution.create(), stdout, stderr }, call) {
      const { organizationId } = callerOf(call);
      const kept = Execution.encode({ ...execution, stdout: '', stderr: '' }).finish();
      // A failure of ours gives the request id back, so that trying again with it runs the program.
      const [row] = await db.query<ExecutionRow>(
        `update executions set state = $3, result = $4, stdout = $5, stderr = $6, finish_time = now(),
           request_id = case when $7 then null else request_id end
         where id = $1 and organization_id = $2 and state in ('QUEUED', 'RUNNING') returning *`,
        [
          execution.id,
          organizationId,
          execution.state === 'CANCELLED' ? 'CANCELLED' : 'FINISHED',
          Buffer.from(kept).toString('base64'),
          stdout,
          stderr,
          execution.verdict === 'INTERNAL_ERROR',
        ],
      );
      return { execution: toExecution(row ?? (await findExecution(db, organizationId, execution.id))) };
    },

    async markExecutorLost({ executorId }) {
      const rows = await db.transaction(async (tx) => {
        const rows = await tx.query<SandboxRow>(
          `update sandboxes set state = 'STOPPED', stop_reason = 'HOST_LOST', stop_time = now()
           where executor_id = $1 and state <> 'STOPPED' returning *`,
          [executorId],
        );
        for (const row of rows) await announce(tx, row);
        return rows;
      });
      changed();
      return { sandboxes: rows.length };
    },
  };
}

/**
 * Locks the organisation, so that what follows counts and inserts as one step, and finds what an earlier call with the
 * request id made. Errors: REQUEST_ID_REUSED.
 */
async function enter<T extends { request_sha256: Buffer }>(
  tx: Queryable,
  { organizationId }: Caller,
  table: 'sandboxes' | 'executions',
  requestId: string,
  content: Uint8Array,
): Promise<T | undefined> {
  await tx.query('insert into tenants (organization_id) values ($1) on conflict do nothing', [organizationId]);
  await tx.query('select 1 from tenants where organization_id = $1 for update', [organizationId]);
  if (!requestId) return undefined;
  const [earlier] = await tx.query<T>(`select * from ${table} where organization_id = $1 and request_id = $2`, [
    organizationId,
    requestId,
  ]);
  if (earlier && !earlier.request_sha256.equals(sha256(content)))
    throw new DrydockError('REQUEST_ID_REUSED', 'request_id was used before with other content; take a new one');
  return earlier;
}

async function checkQuota(tx: Queryable, { organizationId, concurrentSandboxes }: Caller): Promise<void> {
  const [count] = await tx.query<{ live: number }>(
    `select (select count(*) from sandboxes where organization_id = $1 and state <> 'STOPPED')
          + (select count(*) from executions where organization_id = $1 and state = 'RUNNING') as live`,
    [organizationId],
  );
  if (count!.live < concurrentSandboxes) return;
  throw new DrydockError('QUOTA_EXCEEDED', `the organisation may have ${concurrentSandboxes} sandboxes at one time`, {
    retryAfterMs: 1_000,
    quota: [
      {
        subject: `organizations/${organizationId}/concurrentSandboxes`,
        description: `${count!.live} of ${concurrentSandboxes} in use; delete some or wait`,
      },
    ],
  });
}

const noSandbox = () => new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');

/** What has not even the shape of an id is answered like an id of somebody else, and never reaches SQL. */
function checkSandboxId(id: string): void {
  if (!isId('sbx', id)) throw noSandbox();
}

export async function findSandbox(db: Queryable, organizationId: string, id: string): Promise<SandboxRow> {
  checkSandboxId(id);
  const [row] = await db.query<SandboxRow>('select * from sandboxes where id = $1 and organization_id = $2', [id, organizationId]);
  if (!row) throw noSandbox();
  return row;
}

export async function findExecution(db: Queryable, organizationId: string, id: string): Promise<ExecutionRow> {
  const [row] = isId('exe', id)
    ? await db.query<ExecutionRow>('select * from executions where id = $1 and organization_id = $2', [id, organizationId])
    : [];
  if (!row) throw new DrydockError('EXECUTION_NOT_FOUND', 'no such execution');
  return row;
}

async function whyNot(db: Queryable, organizationId: string, id: string): Promise<DrydockError> {
  return notRunning(await findSandbox(db, organizationId, id));
}

function notRunning({ state, stop_reason }: SandboxRow): DrydockError {
  const metadata = { state, ...(state === 'STOPPED' ? { stopReason: stop_reason } : {}) };
  return new DrydockError('SANDBOX_NOT_RUNNING', `the sandbox is ${state}; create another`, { metadata });
}

function sha256(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}
