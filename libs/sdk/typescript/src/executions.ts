import { concat, toBytes, toText } from './bytes.ts';
import { type CallOptions, type Connection, method, UNLIMITED } from './connection.ts';
import { type DrydockError, NotFoundError, UnavailableError } from './errors.ts';
import {
  type BatchSubmitResult,
  type Execution as ExecutionMessage,
  ExecutionServiceDefinition,
} from './generated/drydock/v1/execution.ts';
import { CALL_OPTIONS, newRequestId, refuseOthers } from './options.ts';
import { Paged } from './paged.ts';
import { type Execution, type Program, toExecution, toRequest } from './programs.ts';
import { createBreaks } from './retries.ts';
import { classOf } from './status.ts';

const [RUN, STREAM, SUBMIT, BATCH, GET, LIST, CANCEL, WATCH, OUTPUT] = [
  method(ExecutionServiceDefinition, 'runCode'),
  method(ExecutionServiceDefinition, 'streamCode'),
  method(ExecutionServiceDefinition, 'submitExecution'),
  method(ExecutionServiceDefinition, 'batchSubmitExecutions'),
  method(ExecutionServiceDefinition, 'getExecution'),
  method(ExecutionServiceDefinition, 'listExecutions'),
  method(ExecutionServiceDefinition, 'cancelExecution'),
  method(ExecutionServiceDefinition, 'watchExecution'),
  method(ExecutionServiceDefinition, 'readExecutionOutput'),
];

/** A program for the queue. */
export type Submission = Program & {
  /** Among the organisation's own: higher goes first. -100 to 100, default 0. */
  priority?: number;
};

export type RunEvent =
  | { type: 'compile' }
  | { type: 'run'; caseIndex: number }
  | { type: 'stdout' | 'stderr'; text: string; data: Uint8Array }
  | { type: 'finished'; execution: Execution };

/** Programs, run to a verdict: now, or in the queue. */
export class Executions {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Runs a program now and answers when it has ended; aborting `signal` ends the program. A program that fails is a result.
   * Throws InvalidArgumentError, QuotaExceededError, NoCapacityError.
   */
  async run(program: Program, options: CallOptions = {}): Promise<Execution> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { ...toRequest(program), requestId: newRequestId() };
    const { execution } = await this.#connection.unary(RUN, request, options, { repeatable: true, ...UNLIMITED });
    return toExecution(execution!);
  }

  /** The same with events as they happen; the last one is `finished`. Leaving the iteration ends the program. */
  async *stream(program: Program, options: CallOptions = {}): AsyncGenerator<RunEvent, void, undefined> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { ...toRequest(program), requestId: newRequestId() };
    for await (const { event } of this.#connection.stream(STREAM, request, options, { repeatable: true })) {
      if (event?.$case === 'compileStarted') yield { type: 'compile' };
      if (event?.$case === 'runStarted') yield { type: 'run', caseIndex: event.value.caseIndex };
      if (event?.$case === 'stdout' || event?.$case === 'stderr') {
        const { content } = event.value;
        const data = content?.$case === 'text' ? toBytes(content.value) : (content?.value ?? new Uint8Array());
        yield { type: event.$case, data, text: toText(data) };
      }
      if (event?.$case === 'execution') yield { type: 'finished', execution: toExecution(event.value) };
    }
  }

  /** Puts a program in the queue: from then on it is run, whatever breaks. Throws as `run`, and QuotaExceededError (QUEUE_FULL). */
  async submit(submission: Submission, options: CallOptions = {}): Promise<Job> {
    refuseOthers(options, CALL_OPTIONS);
    const request = toSubmission(submission);
    const { execution } = await this.#connection.unary(SUBMIT, request, options, { repeatable: true });
    return new Job(this.#connection, execution!.id);
  }

  /** Puts up to 1,000 programs in the queue. Each is taken or refused by itself: the answer has a Job or an error, as `submit` throws, for each. */
  async batch(submissions: readonly Submission[], options: CallOptions = {}): Promise<(Job | DrydockError)[]> {
    refuseOthers(options, CALL_OPTIONS);
    const requests = submissions.map(toSubmission);
    const { results } = await this.#connection.unary(BATCH, { requests }, options, { repeatable: true });
    return results.map((result) => this.#member(result));
  }

  /** An execution that was submitted before. It is not asked for: `job.get()` throws where there is none. */
  job(id: string): Job {
    return new Job(this.#connection, id);
  }

  get(id: string, options: CallOptions = {}): Promise<Execution> {
    return this.job(id).get(options);
  }

  /** Newest first, without their output. */
  list(filter: CallOptions & { states?: readonly Execution['state'][] } = {}): Paged<Execution> {
    const { states = [], ...callOptions } = filter;
    refuseOthers(callOptions, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const request = { pageSize: 0, pageToken, states: [...states] };
      const answer = await this.#connection.unary(LIST, request, callOptions, { repeatable: true });
      return { items: answer.executions.map(toExecution), nextPageToken: answer.nextPageToken };
    });
  }

  #member({ result }: BatchSubmitResult): Job | DrydockError {
    if (result?.$case === 'execution') return new Job(this.#connection, result.value.id);
    const { reason = 'INTERNAL', message = 'refused', fieldViolations = [] } = result?.value ?? {};
    return new (classOf(reason))(message, { reason, fieldViolations });
  }
}

function toSubmission({ priority = 0, ...program }: Submission) {
  return { ...toRequest(program), priority, requestId: newRequestId() };
}

/** An execution of the queue. */
export class Job {
  readonly id: string;
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection, id: string) {
    this.id = id;
    this.#connection = connection;
  }

  /** How it is now. Throws NotFoundError. */
  async get(options: CallOptions = {}): Promise<Execution> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { executionId: this.id, wait: undefined };
    const { execution } = await this.#connection.unary(GET, request, options, { repeatable: true });
    return toExecution(execution!);
  }

  /** Waits for its end, however often the connection breaks meanwhile. Throws NotFoundError. */
  async wait(options: CallOptions = {}): Promise<Execution> {
    let last: Execution | undefined;
    for await (const execution of this.watch(options)) last = execution;
    if (!last) throw new NotFoundError(`there is no execution ${this.id}`, { reason: 'EXECUTION_NOT_FOUND' });
    return last;
  }

  /** The execution now and after each change of its state, until it has ended. A stream that breaks is begun again. */
  async *watch(options: CallOptions = {}): AsyncGenerator<Execution, void, undefined> {
    refuseOthers(options, CALL_OPTIONS);
    const breaks = createBreaks(options.signal);
    let seen = '';
    for (;;) {
      try {
        for await (const message of this.#watchOnce(options)) {
          const state = `${message.state} ${message.attempts}`;
          if (state === seen) continue;
          seen = state;
          breaks.reset();
          yield toExecution(message);
        }
        return;
      } catch (error) {
        await breaks.wait(error);
      }
    }
  }

  /** One that waits never runs, and one that runs is stopped. One that has ended stays as it is. */
  async cancel(options: CallOptions = {}): Promise<Execution> {
    refuseOthers(options, CALL_OPTIONS);
    const { execution } = await this.#connection.unary(CANCEL, { executionId: this.id }, options, { repeatable: true });
    return toExecution(execution!);
  }

  /** All that is kept of an output, or of the talk with an interactor (`keepTranscript`), as bytes. Throws ConflictError (EXECUTION_NOT_FINISHED). */
  async output(stream: 'stdout' | 'stderr' | 'transcript', options: CallOptions = {}): Promise<Uint8Array> {
    refuseOthers(options, CALL_OPTIONS);
    const pieces: Uint8Array[] = [];
    const request = { executionId: this.id, stream };
    for await (const { data } of this.#connection.stream(OUTPUT, request, options, { repeatable: true }))
      pieces.push(data);
    return concat(pieces);
  }

  async *#watchOnce(options: CallOptions): AsyncGenerator<ExecutionMessage, void, undefined> {
    const request = { executionId: this.id };
    let ended = false;
    for await (const { execution } of this.#connection.stream(WATCH, request, options, { repeatable: true })) {
      ended = ['FINISHED', 'CANCELLED'].includes(execution!.state);
      yield execution!;
    }
    if (!ended) throw new UnavailableError('the watch ended before the execution');
  }
}
