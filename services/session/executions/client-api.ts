import { millisecondsOf } from '#libs/catalog/limits.ts';
import { DrydockError, invalidField } from '#libs/errors.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { abortAfter } from '#libs/lifecycle.ts';
import { readPage, toPage } from '#libs/pages.ts';
import type { Database } from '#libs/postgres/database.ts';
import type { ExecutionServiceDefinition, GetExecutionRequest } from '#proto/drydock/v1/execution.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import type { Wakeups } from '../requests/wakeups.ts';
import { CANCELLED, endExecutions, publishEnds } from './ends.ts';
import { checkExecutionId, findExecution } from './records.ts';
import { type ExecutionRow, hasEnded, toExecution } from './row.ts';

const MAX_WAIT_MS = 60_000;
const SHOWN_BYTES = 256 * 1024;
const PIECE_BYTES = 64 * 1024;

const SUMMARY =
  'id, organization_id, language, template, state, result, priority, attempt, create_time, start_time, finish_time';
const SHOWN = `${SUMMARY}, substr(stdout, 1, ${SHOWN_BYTES}) as stdout, length(stdout) as stdout_bytes,
  substr(stderr, 1, ${SHOWN_BYTES}) as stderr, length(stderr) as stderr_bytes`;

export type Dependencies = {
  db: Database;
  wakeups: Pick<Wakeups, 'publish' | 'until'>;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
  /** Wakes the senders of webhook deliveries. */
  webhooksDue: () => void;
};

type Executions = Omit<
  Rpc<ExecutionServiceDefinition>,
  'runCode' | 'streamCode' | 'submitExecution' | 'batchSubmitExecutions'
>;

/** Executions as clients see them: read, waited for, cancelled. */
export function createExecutions(dependencies: Dependencies): Executions {
  const { db, wakeups, wakeRelay } = dependencies;

  return {
    getExecution: (request, call) => getExecution(dependencies, request, call),

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
        const live = {
          sql: `id = $1 and organization_id = $2 and state = any('{QUEUED,RUNNING}')`,
          values: [executionId, organizationId],
        };
        const [row] = await endExecutions(tx, live, { ...CANCELLED, abort: true });
        return row;
      });
      if (!cancelled) return { execution: toExecution(await shown(db, call, executionId)) };
      publishEnds(dependencies, [cancelled]);
      wakeRelay();
      return { execution: toExecution(cancelled) };
    },

    async *watchExecution({ executionId }, call) {
      const { signal } = call;
      let row = await shown(db, call, executionId);
      yield { execution: toExecution(row) };
      while (!hasEnded(row)) {
        const { state, attempt } = row;
        row = await wakeups.until(executionId, signal, async () => {
          const now = await shown(db, call, executionId);
          return now.state !== state || now.attempt !== attempt ? now : undefined;
        });
        yield { execution: toExecution(row) };
      }
    },

    async *readExecutionOutput({ executionId, stream }, call) {
      const { organizationId } = callerOf(call);
      if (stream !== 'stdout' && stream !== 'stderr' && stream !== 'transcript')
        throw invalidField('stream', 'must be stdout, stderr or transcript');
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

async function getExecution({ db, wakeups }: Dependencies, { executionId, wait }: GetExecutionRequest, call: Call) {
  const row = await shown(db, call, executionId);
  const waitMs = checkWait(wait);
  if (hasEnded(row) || waitMs === 0) return { execution: toExecution(row) };
  using limit = abortAfter(waitMs);
  const over = limit.signal;
  const ended = await wakeups
    .until(executionId, AbortSignal.any([call.signal, over]), async () => {
      const now = await shown(db, call, executionId);
      return hasEnded(now) ? now : undefined;
    })
    .catch((error) => {
      if (over.aborted && !call.signal.aborted) return shown(db, call, executionId);
      throw error;
    });
  return { execution: toExecution(ended) };
}

function shown(db: Database, call: Call, id: string): Promise<ExecutionRow> {
  return findExecution(db, callerOf(call).organizationId, id, SHOWN);
}

function checkWait(wait: Duration | undefined): number {
  const ms = wait ? millisecondsOf(wait) : 0;
  if (!(ms >= 0 && ms <= MAX_WAIT_MS)) throw invalidField('wait', 'must be from 0 to 60 s');
  return ms;
}
