import { DrydockError } from '#libs/errors.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { isId, newId } from '#libs/ids.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { Execution, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { type Admission, checkSameRequest, contentHash, quotaExceeded } from '../requests/admission.ts';
import { tenancyOf } from '../requests/tenancy.ts';
import type { Wakeups } from '../requests/wakeups.ts';
import { type End, type Dependencies as EndDependencies, endExecutions, publishEnds } from './ends.ts';
import { type Dependencies as PreparationDependencies, prepareExecution } from './preparation.ts';
import { type ExecutionRow, encodeResult, hasEnded, toExecution } from './row.ts';
import { ownSpec, toSpec } from './spec.ts';
import type { CheckedExecution } from './validation.ts';

export type Dependencies = EndDependencies &
  PreparationDependencies & {
    db: Database;
    wakeups: Pick<Wakeups, 'publish' | 'until'>;
  };

type ExecutionRecords = Pick<Rpc<RecordServiceDefinition>, 'insertExecution' | 'completeExecution'>;

/** Records of executions whose callers wait, and the results of all. */
export function createExecutionRecords(dependencies: Dependencies): ExecutionRecords {
  const { db, wakeups } = dependencies;

  /** The execution of the first call with a request id, once it has ended. */
  const repeated = (caller: Caller, id: string, sha256: Buffer, signal: AbortSignal) =>
    wakeups.until(id, signal, async () => {
      const row = await findExecution(db, caller.organizationId, id);
      checkSameRequest(row, sha256);
      return hasEnded(row) ? row : undefined;
    });

  return {
    async insertExecution({ request = RunCodeRequest.create() }, call) {
      const caller = callerOf(call);
      const checked = await prepareExecution(dependencies, request, caller.organizationId);
      const sha256 = contentHash(RunCodeRequest, request);
      let admitted = await insertExecution(db, caller, request, checked, sha256);
      while (admitted.earlier) {
        const row = await repeated(caller, admitted.earlier, sha256, call.signal);
        if (row.request_id) return { execution: toExecution(row), repeatedRequest: true, spec: undefined };
        // It was cut off and gave its request id back, so this call is the one that runs the program.
        call.signal.throwIfAborted();
        admitted = await insertExecution(db, caller, request, checked, sha256);
      }
      const { id, organization_id, deadline } = admitted;
      const owner = { executionId: id, organizationId: organization_id, deadline: deadline! };
      const spec = ownSpec(toSpec(checked, tenancyOf(caller)), owner);
      return { execution: toExecution(admitted), repeatedRequest: false, spec };
    },

    async completeExecution({ execution = Execution.create(), attempt, insertIfMissing, ...outputs }, call) {
      const { organizationId } = callerOf(call);
      checkExecutionId(execution.id);
      const attempted = {
        sql: `id = $1 and organization_id = $2 and attempt = $3 and state = 'RUNNING'`,
        values: [execution.id, organizationId, attempt],
      };
      const cancelled = execution.state === 'CANCELLED';
      const end: End = {
        ...outputs,
        state: cancelled ? 'CANCELLED' : 'FINISHED',
        result: encodeResult(execution),
        // Cut off by its caller or by the platform.
        retriable: cancelled || execution.verdict === 'INTERNAL_ERROR',
      };
      let [row] = await endExecutions({ query: db.queryPrepared }, attempted, end);
      if (!row && insertIfMissing && (await insertMissing(db, organizationId, execution, attempt)))
        [row] = await endExecutions(db, attempted, end);
      if (row) publishEnds(dependencies, [row]);
      return { execution: toExecution(row ?? (await findExecution(db, organizationId, execution.id))) };
    },
  };
}

/**
 * One statement, one round trip, as `insertSandbox`. Without a request id its commit does not wait for the disk, so that the lock of
 * the organisation is held for no longer than the statement takes; the commit of the result does, which the answer waits for, and with
 * it this one. Errors: QUOTA_EXCEEDED.
 */
async function insertExecution(
  db: Database,
  caller: Caller,
  request: RunCodeRequest,
  { language, template, lifetimeMs, spec }: CheckedExecution,
  sha256: Buffer,
): Promise<ExecutionRow & Admission> {
  const [row] = await db.queryPrepared<ExecutionRow & Admission>(
    `with admitted as materialized (
       select * from admit($2, $3, 'execution')
     ), inserted as (
       insert into executions
         (id, organization_id, request_id, request_sha256, language, template, state, attempt, start_time, deadline,
          test_set_id)
       select $1, $2, $3, $4, $5, $6, 'RUNNING', 1, now(), now() + $7::float8 * interval '1 ms', $9
       from admitted where earlier is null and live < $8 returning *
     )
     select * from admitted left join inserted on true
     where case when $3::text is null then set_config('synchronous_commit', 'off', true) else '' end is not null`,
    [
      newId('exe'),
      caller.organizationId,
      request.requestId || null,
      sha256,
      language,
      template.id,
      lifetimeMs,
      caller.quota?.concurrentSandboxes ?? 0,
      spec.testSetId || null,
    ],
  );
  if (!row!.earlier && !row!.id) throw quotaExceeded(caller, row!.live);
  return row!;
}

/** Writes the record of a run that a crash of the database has lost; false if it is there. */
async function insertMissing(
  db: Database,
  organizationId: string,
  { id, language, template, createTime = new Date() }: Execution,
  attempt: number,
): Promise<boolean> {
  const rows = await db.query(
    `with tenant as (insert into tenants (organization_id) values ($2) on conflict do nothing)
     insert into executions
       (id, organization_id, request_sha256, language, template, state, attempt, create_time, start_time, deadline)
     values ($1, $2, '', $3, $4, 'RUNNING', $5, $6, $6, now()) on conflict (id) do nothing returning id`,
    [id, organizationId, language, template, attempt, createTime],
  );
  return rows.length > 0;
}

const noExecution = () => new DrydockError('EXECUTION_NOT_FOUND', 'no such execution');

/** A malformed id is answered like an unknown one, and never reaches SQL. Errors: EXECUTION_NOT_FOUND. */
export function checkExecutionId(id: string): void {
  if (!isId('exe', id)) throw noExecution();
}

/** `columns` is SQL; select no more of the outputs than is needed. Errors: EXECUTION_NOT_FOUND. */
export async function findExecution(
  db: Queryable,
  organizationId: string,
  id: string,
  columns = '*',
): Promise<ExecutionRow> {
  checkExecutionId(id);
  const [row] = await db.query<ExecutionRow>(
    `select ${columns} from executions where id = $1 and organization_id = $2`,
    [id, organizationId],
  );
  if (!row) throw noExecution();
  return row;
}
