import { DrydockError } from '#libs/errors.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { ExecutionResult, type RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type {
  Execution,
  ExecutionServiceDefinition,
  RunCodeRequest,
  StreamCodeResponse,
} from '#proto/drydock/v1/execution.ts';
import { outlasting } from './outlasting.ts';
import { place } from './placement.ts';
import type { Dependencies } from './scheduler.ts';

const RECORD_DEADLINE_MS = 10_000;

const CANCELLED = ExecutionResult.fromPartial({ execution: { state: 'CANCELLED', verdict: 'CANCELLED' } });

type Executions = Pick<Rpc<ExecutionServiceDefinition>, 'runCode' | 'streamCode'>;

/** Runs programs that are waited for. The record is written before the run and completed whatever comes of it. */
export function createExecutions({ session, executors, directory, log }: Dependencies): Executions {
  async function* run(request: RunCodeRequest, call: Call, streamOutput: boolean): AsyncIterable<StreamCodeResponse> {
    const caller = callerOf(call);
    const inserted = await insert(request, call);
    const execution = inserted.execution!;
    if (inserted.repeatedRequest) {
      yield { event: { $case: 'execution', value: execution } };
      return;
    }
    // What stays on record if the caller hangs up.
    let outcome: ExecutionResult = CANCELLED;
    let completed: Execution;
    try {
      for await (const { event } of dispatch(inserted.spec!, call, streamOutput)) {
        if (event?.$case === 'result') outcome = event.value;
        else if (event) yield toPublic(event, execution.id);
      }
    } catch (error) {
      if (!call.signal.aborted) outcome = failed(error);
      throw error;
    } finally {
      completed = await complete(execution, outcome, caller);
    }
    yield { event: { $case: 'execution', value: completed } };
  }

  async function insert(request: RunCodeRequest, call: Call) {
    using patient = outlasting(call.signal, RECORD_DEADLINE_MS);
    // A repetition waits there for the end of the run that it repeats.
    const deadline = request.requestId ? {} : { deadlineMs: RECORD_DEADLINE_MS };
    return await session.insertExecution({ request }, { caller: callerOf(call), signal: patient.signal, ...deadline });
  }

  /** The result reaches its caller also where it cannot be recorded; the record's sweep will say that it was lost. */
  async function complete(execution: Execution, result: ExecutionResult, caller: Caller): Promise<Execution> {
    const found = merged(execution, result.execution!);
    const { stdout, stderr } = result;
    try {
      const options = { caller, deadlineMs: RECORD_DEADLINE_MS };
      return (await session.completeExecution({ execution: found, stdout, stderr }, options)).execution!;
    } catch (error) {
      log.error({ err: error, executionId: execution.id }, 'end of an execution not recorded');
      return found;
    }
  }

  /** Another executor is tried until one has sent its first event; from then on the run is that one's. */
  async function* dispatch(
    spec: ExecutionSpec,
    call: Call,
    streamOutput: boolean,
  ): AsyncIterable<RunExecutionResponse> {
    const demand = {
      template: spec.sandbox?.template ?? '',
      memoryBytes: spec.sandbox?.limits?.memoryBytes ?? 0,
    };
    const options = { caller: callerOf(call), signal: call.signal };
    const { first, rest } = await place(directory(), demand, log, async ({ address }) => {
      const rest = executors.at(address).runExecution({ spec, streamOutput }, options)[Symbol.asyncIterator]();
      return { first: await rest.next(), rest };
    });
    if (first.done) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => rest };
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

/** Session's own fields stay; the rest is what the executor found. */
function merged(recorded: Execution, found: Execution): Execution {
  const { id, language, template, isolation, createTime } = recorded;
  return { ...found, id, language, template, isolation, createTime };
}

function toPublic(
  event: Exclude<RunExecutionResponse['event'], undefined | { $case: 'result' }>,
  executionId: string,
): StreamCodeResponse {
  switch (event.$case) {
    case 'compileStarted':
      return { event: { $case: 'compileStarted', value: { executionId } } };
    case 'runStarted':
      return { event: { $case: 'runStarted', value: { executionId } } };
    case 'stdout':
      return { event: { $case: 'stdout', value: event.value } };
    case 'stderr':
      return { event: { $case: 'stderr', value: event.value } };
  }
}
