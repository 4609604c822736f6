import { DrydockError } from '#libs/errors.ts';
import type { Call, Client, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { ExecutionResult, type RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import type {
  Execution,
  ExecutionServiceDefinition,
  RunCodeRequest,
  StreamCodeResponse,
} from '#proto/drydock/v1/execution.ts';
import type { Cancellations } from './cancellations.ts';
import { type Dependencies as DispatchDependencies, dispatch } from './dispatch.ts';
import { withGrace } from './grace.ts';

const RECORD_DEADLINE_MS = 10_000;
const ONLY_ATTEMPT = 1;

const CANCELLED = ExecutionResult.fromPartial({ execution: { state: 'CANCELLED', verdict: 'CANCELLED' } });

export type Dependencies = DispatchDependencies & {
  session: Client<RecordServiceDefinition>;
  cancellations: Pick<Cancellations, 'watch'>;
};

type Executions = Pick<Rpc<ExecutionServiceDefinition>, 'runCode' | 'streamCode'>;

/** Runs programs whose callers wait. The record is written before the run, and completed after it even if it fails. */
export function createExecutions(dependencies: Dependencies): Executions {
  const { session, cancellations, log } = dependencies;

  async function* run(request: RunCodeRequest, call: Call, streamOutput: boolean): AsyncIterable<StreamCodeResponse> {
    const caller = callerOf(call);
    const inserted = await insert(request, call);
    const execution = inserted.execution!;
    if (inserted.repeatedRequest) {
      yield { event: { $case: 'execution', value: execution } };
      return;
    }
    using cancelled = cancellations.watch(execution.id);
    // Recorded if the caller hangs up.
    let outcome: ExecutionResult = CANCELLED;
    let completed: Execution;
    try {
      const options = { caller, signal: AbortSignal.any([call.signal, cancelled.signal]) };
      for await (const { event } of dispatch(dependencies, inserted.spec!, options, { streamOutput })) {
        if (event?.$case === 'result') outcome = event.value;
        else if (event) yield toPublic(event, execution.id);
      }
    } catch (error) {
      if (!call.signal.aborted && !cancelled.signal.aborted) outcome = failed(error);
      if (!cancelled.signal.aborted) throw error;
    } finally {
      completed = await complete(execution, outcome, caller, !request.requestId);
    }
    yield { event: { $case: 'execution', value: completed } };
  }

  async function insert(request: RunCodeRequest, call: Call) {
    using patient = withGrace(call.signal, RECORD_DEADLINE_MS);
    // Session answers a repeated request when the first run has ended.
    const deadline = request.requestId ? {} : { deadlineMs: RECORD_DEADLINE_MS };
    return await session.insertExecution({ request }, { caller: callerOf(call), signal: patient.signal, ...deadline });
  }

  /** Returns the result even if it cannot be recorded; session's sweep then records the execution as lost. */
  async function complete(
    execution: Execution,
    result: ExecutionResult,
    caller: Caller,
    insertIfMissing: boolean,
  ): Promise<Execution> {
    const found = merged(execution, result.execution!);
    const { stdout, stderr, transcript } = result;
    try {
      const options = { caller, deadlineMs: RECORD_DEADLINE_MS };
      const request = { execution: found, stdout, stderr, transcript, attempt: ONLY_ATTEMPT, insertIfMissing };
      return (await session.completeExecution(request, options)).execution!;
    } catch (error) {
      log.error({ err: error, executionId: execution.id }, "failed to record an execution's result");
      return { ...found, stdout: Buffer.from(stdout).toString(), stderr: Buffer.from(stderr).toString() };
    }
  }

  return {
    async runCode(request, call) {
      for await (const { event } of run(request, call, false))
        if (event?.$case === 'execution') return { execution: event.value };
      throw new DrydockError('INTERNAL', 'the execution ended without a result');
    },
    streamCode: (request, call) => run(request, call, true),
  };
}

function failed(error: unknown): ExecutionResult {
  const message = error instanceof DrydockError ? error.message : 'internal error';
  return ExecutionResult.fromPartial({ execution: { state: 'FINISHED', verdict: 'INTERNAL_ERROR', message } });
}

/** The executor's result with the fields that session owns. */
function merged(recorded: Execution, found: Execution): Execution {
  const { id, language, template, createTime } = recorded;
  return { ...found, id, language, template, createTime };
}

function toPublic(
  event: Exclude<RunExecutionResponse['event'], undefined | { $case: 'result' }>,
  executionId: string,
): StreamCodeResponse {
  switch (event.$case) {
    case 'compileStarted':
      return { event: { $case: 'compileStarted', value: { executionId } } };
    case 'runStarted':
      return { event: { $case: 'runStarted', value: { executionId, caseIndex: event.value.caseIndex } } };
    case 'stdout':
      return { event: { $case: 'stdout', value: event.value } };
    case 'stderr':
      return { event: { $case: 'stderr', value: event.value } };
  }
}
