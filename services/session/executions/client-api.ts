import type { Catalog } from '#libs/catalog/catalog.ts';
import { millisecondsOf } from '#libs/catalog/limits.ts';
import { DrydockError, hasReason, invalidField } from '#libs/errors.ts';
import { checkFields } from '#libs/field-checks.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { readPage, toPage } from '#libs/pages.ts';
import type { Database } from '#libs/postgres/database.ts';
import { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import {
  type BatchSubmitResult,
  type Execution,
  type ExecutionServiceDefinition,
  RunCodeRequest,
  SubmitExecutionRequest,
} from '#proto/drydock/v1/execution.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import type { QueueDepth } from '../queue/depth.ts';
import type { Submissions } from '../queue/submissions.ts';
import { contentHash } from '../requests/admission.ts';
import { tenancyOf } from '../requests/tenancy.ts';
import type { Settling } from '../requests/wakeups.ts';
import { type ExecutionRow, hasEnded, toExecution } from '../rows.ts';
import { announceEnds, CANCELLED, DELIVERIES, type Ended, tellCancelled } from './ends.ts';
import { checkExecutionId, findExecution } from './records.ts';
import { toSpec } from './spec.ts';
import { checkExecution } from './validation.ts';

const MAX_BATCH = 1000;
const MAX_PRIORITY = 100;
const MAX_WAIT_MS = 60_000;
const SHOWN_BYTES = 256 * 1024;
const PIECE_BYTES = 64 * 1024;

const SUMMARY =
  'id, organization_id, language, template, state, result, priority, attempt, create_time, start_time, finish_time';
const SHOWN = `${SUMMARY}, substr(stdout, 1, ${SHOWN_BYTES}) as stdout, length(stdout) as stdout_bytes,
  substr(stderr, 1, ${SHOWN_BYTES}) as stderr, length(stderr) as stderr_bytes`;

export type Dependencies = {
  db: Database;
  catalog: Catalog;
  settling: Pick<Settling, 'settled' | 'until'>;
  submissions: Submissions;
  depth: QueueDepth;
  /** There are events to send. */
  changed: () => void;
  /** There are deliveries to webhooks to send. */
  webhooksDue: () => void;
};

type Executions = Omit<Rpc<ExecutionServiceDefinition>, 'runCode' | 'streamCode'>;

/** Executions as clients see them: put into the queue, read, waited for, cancelled. */
export function createExecutions(dependencies: Dependencies): Executions {
  const { db, settling, changed } = dependencies;

  const shown = (call: Call, id: string) => findExecution(db, callerOf(call).organizationId, id, SHOWN);

  return {
    async submitExecution(request, call) {
      return { execution: await submit(dependencies, request, call) };
    },

    async batchSubmitExecutions({ requests }, call) {
      if (requests.length === 0 || requests.length > MAX_BATCH)
        throw invalidField('requests', `must be 1 to ${MAX_BATCH}, and are ${requests.length}`);
      const results = await Promise.all(requests.map((request) => submitMember(dependencies, request, call)));
      // Nothing was taken, and trying again may help: that is for the whole call to say.
      const failures = results.map(({ error }) => error).filter((error) => hasReason(error, 'SERVICE_UNAVAILABLE'));
      if (failures.length === results.length) throw failures[0];
      return { results: results.map(({ result }) => ({ result })) };
    },

    async getExecution({ executionId, wait }, call) {
      const row = await shown(call, executionId);
      const waitMs = checkWait(wait);
      if (hasEnded(row) || waitMs === 0) return { execution: toExecution(row) };
      const over = AbortSignal.timeout(waitMs);
      const ended = await settling
        .until(executionId, AbortSignal.any([call.signal, over]), async () => {
          const now = await shown(call, executionId);
          return hasEnded(now) ? now : undefined;
        })
        .catch((error) => {
          if (over.aborted && !call.signal.aborted) return shown(call, executionId);
          throw error;
        });
      return { execution: toExecution(ended) };
    },

    async listExecutions(request, call) {
      const { organizationId } = callerOf(call);
      const { limit, after } = readPage(request);
      const rows = await db.query<ExecutionRow>(
        `select ${SUMMARY} from executions
         where organization_id = $1 and ($2::text is null or id < $2) and (cardinality($3::text[]) = 0 or state = any($3))
         order by id desc limit $4`,
        [organizationId, after ?? null, request.states, limit + 1],
      );
      const { page, nextPageToken } = toPage(rows, limit, ({ id }) => id);
      return { executions: page.map(toExecution), nextPageToken };
    },

    async cancelExecution({ executionId }, call) {
      const { organizationId } = callerOf(call);
      checkExecutionId(executionId);
      const cancelled = await db.transaction(async (tx) => {
        const [row] = await tx.query<Ended>(
          `update executions set state = 'CANCELLED', finish_time = now(), result = $3, spec = null
           where id = $1 and organization_id = $2 and state = any('{QUEUED,RUNNING}') returning ${SUMMARY}, ${DELIVERIES}`,
          [executionId, organizationId, CANCELLED],
        );
        if (row) await tellCancelled(tx, [row]);
        return row;
      });
      if (!cancelled) return { execution: toExecution(await shown(call, executionId)) };
      announceEnds(dependencies, [cancelled]);
      changed();
      return { execution: toExecution(cancelled) };
    },

    async *watchExecution({ executionId }, call) {
      const { signal } = call;
      let row = await shown(call, executionId);
      yield { execution: toExecution(row) };
      while (!hasEnded(row)) {
        const { state, attempt } = row;
        row = await settling.until(executionId, signal, async () => {
          const now = await shown(call, executionId);
          return now.state !== state || now.attempt !== attempt ? now : undefined;
        });
        yield { execution: toExecution(row) };
      }
    },

    async *readExecutionOutput({ executionId, stream }, call) {
      const { organizationId } = callerOf(call);
      if (stream !== 'stdout' && stream !== 'stderr') throw invalidField('stream', 'must be stdout or stderr');
      const row = await findExecution(db, organizationId, executionId, `state, length(${stream}) as ${stream}_bytes`);
      if (!hasEnded(row))
        throw new DrydockError('EXECUTION_NOT_FINISHED', `the execution is ${row.state}; wait for its end`);
      const bytes = row[`${stream}_bytes`] ?? 0;
      for (let at = 0; at < bytes; at += PIECE_BYTES) {
        const columns = `substr(${stream}, ${at + 1}, ${PIECE_BYTES}) as ${stream}`;
        yield { data: (await findExecution(db, organizationId, executionId, columns))[stream]! };
      }
    },
  };
}

async function submit(
  { catalog, submissions, depth, db }: Dependencies,
  request: SubmitExecutionRequest,
  call: Call,
): Promise<Execution> {
  const caller = callerOf(call);
  const { requestId, priority } = request;
  const checked = checkExecution(RunCodeRequest.create(request), catalog);
  const check = checkFields();
  if (Math.abs(priority) > MAX_PRIORITY)
    check.violation('priority', `must be from ${-MAX_PRIORITY} to ${MAX_PRIORITY}`);
  check.done();
  const sha256 = contentHash(SubmitExecutionRequest, request);
  try {
    depth.admit(caller);
  } catch (error) {
    // A repetition adds nothing to the queue.
    if (!requestId || !(await isKnown(db, caller.organizationId, requestId))) throw error;
  }
  const row = await submissions.submit({
    caller,
    requestId,
    sha256,
    language: checked.language,
    template: checked.template.id,
    priority,
    spec: ExecutionSpec.encode(toSpec(checked, tenancyOf(caller))).finish(),
    lifetimeMs: checked.lifetimeMs,
  });
  return toExecution(row);
}

async function isKnown(db: Database, organizationId: string, requestId: string): Promise<boolean> {
  const rows = await db.query('select 1 from executions where organization_id = $1 and request_id = $2', [
    organizationId,
    requestId,
  ]);
  return rows.length > 0;
}

async function submitMember(
  dependencies: Dependencies,
  request: SubmitExecutionRequest,
  call: Call,
): Promise<BatchSubmitResult & { error?: DrydockError }> {
  try {
    return { result: { $case: 'execution', value: await submit(dependencies, request, call) } };
  } catch (error) {
    if (!(error instanceof DrydockError) || error.reason === 'INTERNAL') throw error;
    const { reason, message, details } = error;
    return { error, result: { $case: 'error', value: { reason, message, fieldViolations: details.fields ?? [] } } };
  }
}

function checkWait(wait: Duration | undefined): number {
  const ms = wait ? millisecondsOf(wait) : 0;
  if (!(ms >= 0 && ms <= MAX_WAIT_MS)) throw invalidField('wait', 'must be from 0 to 60 s');
  return ms;
}
