import { DrydockError, hasReason, invalidField } from '#libs/errors.ts';
import { checkFields } from '#libs/field-checks.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { Database } from '#libs/postgres/database.ts';
import { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import {
  type BatchSubmitResult,
  type Execution,
  type ExecutionServiceDefinition,
  RunCodeRequest,
  SubmitExecutionRequest,
} from '#proto/drydock/v1/execution.ts';
import { type Dependencies as PreparationDependencies, prepareExecution } from '../executions/preparation.ts';
import { toExecution } from '../executions/row.ts';
import { toSpec } from '../executions/spec.ts';
import { toRecord } from '../executions/test-sets.ts';
import { contentHash } from '../requests/admission.ts';
import { tenancyOf } from '../requests/tenancy.ts';
import type { QueueDepth } from './depth.ts';
import type { Submissions } from './submissions.ts';

const MAX_BATCH = 1000;
const MAX_PRIORITY = 100;

export type Dependencies = PreparationDependencies & { db: Database; submissions: Submissions; depth: QueueDepth };

type Submitting = Pick<Rpc<ExecutionServiceDefinition>, 'submitExecution' | 'batchSubmitExecutions'>;

/** The queue as clients see it: they put executions into it. */
export function createSubmitting(dependencies: Dependencies): Submitting {
  return {
    async submitExecution(request, call) {
      return { execution: await submit(dependencies, request, call) };
    },

    async batchSubmitExecutions({ requests }, call) {
      if (requests.length === 0 || requests.length > MAX_BATCH)
        throw invalidField('requests', `must be 1 to ${MAX_BATCH}, and are ${requests.length}`);
      const results = await Promise.all(requests.map((request) => submitMember(dependencies, request, call)));
      // The whole call fails as UNAVAILABLE if all its members do: clients retry that.
      const failures = results.map(({ error }) => error).filter((error) => hasReason(error, 'SERVICE_UNAVAILABLE'));
      if (failures.length === results.length) throw failures[0];
      return { results: results.map(({ result }) => ({ result })) };
    },
  };
}

async function submit(dependencies: Dependencies, request: SubmitExecutionRequest, call: Call): Promise<Execution> {
  const { submissions, depth, db } = dependencies;
  const caller = callerOf(call);
  const { requestId, priority } = request;
  const checked = await prepareExecution(dependencies, RunCodeRequest.create(request), caller.organizationId);
  const check = checkFields();
  if (Math.abs(priority) > MAX_PRIORITY)
    check.violation('priority', `must be from ${-MAX_PRIORITY} to ${MAX_PRIORITY}`);
  check.done();
  const sha256 = contentHash(SubmitExecutionRequest, request);
  try {
    depth.admit(caller);
  } catch (error) {
    // A repeated request adds nothing to the queue.
    if (!requestId || !(await isKnown(db, caller.organizationId, requestId))) throw error;
  }
  const row = await submissions.submit({
    caller,
    requestId,
    sha256,
    language: checked.language,
    template: checked.template.id,
    priority,
    testSetId: checked.spec.testSetId,
    spec: ExecutionSpec.encode(toRecord(toSpec(checked, tenancyOf(caller)))).finish(),
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
