import {
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import * as errors from './errors.ts';
import { AuthServiceDefinition } from './generated/drydock/v1/auth.ts';
import { BlobServiceDefinition } from './generated/drydock/v1/blob.ts';
import { ExecutionServiceDefinition } from './generated/drydock/v1/execution.ts';
import { FileServiceDefinition } from './generated/drydock/v1/file.ts';
import { ProcessServiceDefinition } from './generated/drydock/v1/process.ts';
import { SandboxServiceDefinition } from './generated/drydock/v1/sandbox.ts';
import { TemplateServiceDefinition } from './generated/drydock/v1/template.ts';
import { TestSetServiceDefinition } from './generated/drydock/v1/test_set.ts';
import { WebhookServiceDefinition } from './generated/drydock/v1/webhook.ts';
import { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
import { Status } from './generated/google/rpc/status.ts';
import type { Message } from './transport.ts';

const SERVICES = [
  AuthServiceDefinition,
  BlobServiceDefinition,
  ExecutionServiceDefinition,
  FileServiceDefinition,
  ProcessServiceDefinition,
  SandboxServiceDefinition,
  TemplateServiceDefinition,
  TestSetServiceDefinition,
  WebhookServiceDefinition,
] as const;

type MethodsOf<S> = S extends { methods: infer M } ? M[keyof M] : never;
type AnyMethod = MethodsOf<(typeof SERVICES)[number]>;

/** A method of the API, such as `RunCode`. */
export type MethodName = AnyMethod['name'];
type MethodOf<N extends MethodName> = Extract<AnyMethod, { name: N }>;
export type RequestOf<N extends MethodName> = Message<MethodOf<N>['requestType']>;

/** A message, of which what is absent has its default. */
export type Given<T> = T extends Date | Uint8Array | string | number | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly Given<U>[]
    : T extends { $case: infer C; value: infer V }
      ? { $case: C; value: Given<V> }
      : { [K in keyof T]?: Given<T[K]> };

type Step<N extends MethodName> = Given<Message<MethodOf<N>['responseType']>> | errors.DrydockError;
type Steps<N extends MethodName> = Step<N> | readonly Step<N>[];

/**
 * A message or an error; a list of messages for a stream, at whose end may be an error; or a function of the requests, several where
 * the client streams, that answers with one of these.
 */
export type Answer<N extends MethodName> = Steps<N> | ((...requests: RequestOf<N>[]) => Steps<N> | Promise<Steps<N>>);

/** A call that was made. */
export type FakeCall = {
  method: MethodName;
  /** One, or as many as the client streamed. */
  requests: readonly unknown[];
  /** What came beside them, such as `authorization`. */
  metadata: Readonly<Record<string, unknown>>;
};

const CODES: [abstract new (...args: never[]) => errors.DrydockError, status][] = [
  [errors.NotFoundError, status.NOT_FOUND],
  [errors.InvalidArgumentError, status.INVALID_ARGUMENT],
  [errors.UnauthenticatedError, status.UNAUTHENTICATED],
  [errors.PermissionDeniedError, status.PERMISSION_DENIED],
  [errors.QuotaExceededError, status.RESOURCE_EXHAUSTED],
  [errors.NoCapacityError, status.RESOURCE_EXHAUSTED],
  [errors.ConflictError, status.FAILED_PRECONDITION],
  [errors.SandboxNotRunningError, status.FAILED_PRECONDITION],
  [errors.UnavailableError, status.UNAVAILABLE],
  [errors.TimeoutError, status.DEADLINE_EXCEEDED],
];

// biome-ignore lint/suspicious/noExplicitAny: a call of any messages
type Incoming = any;

/**
 * A server for tests of programs that use Drydock: the real client calls it over the loopback interface. It knows nothing of the
 * platform: it answers as it is told, and keeps what it was asked.
 *
 * ```ts
 * await using server = await FakeServer.start();
 * server.on('RunCode', { execution: { stdout: '42\n' } });
 * using drydock = new Drydock({ url: server.url, apiKey: 'dk_test' });
 * ```
 *
 * API keys are exchanged for a token; any other call fails with NOT_IMPLEMENTED until `on` tells how to answer it.
 */
export class FakeServer implements AsyncDisposable {
  readonly url: string;
  /** In their order, without those that exchange API keys. */
  readonly calls: FakeCall[] = [];
  readonly #server: Server;
  readonly #answers = new Map<string, Answer<never>[]>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
    this.on('ExchangeToken', { token: 'fake-token' });
  }

  /** Serves on a free port until it is disposed. */
  static async start(): Promise<FakeServer> {
    const server = new Server();
    let fake: FakeServer;
    for (const service of SERVICES) {
      const methods = Object.values(service.methods) as AnyMethod[];
      const handlers = methods.map((method) => [method.name, handlerOf(method, (call) => fake.#answer(call))]);
      server.addService(definitionOf(service.fullName, methods), Object.fromEntries(handlers));
    }
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    fake = new FakeServer(server, port);
    return fake;
  }

  /** Answers the calls of a method with these in turn; the last one again and again. */
  on<N extends MethodName>(method: N, ...answers: [Answer<N>, ...Answer<N>[]]): void {
    this.#answers.set(method, answers as Answer<never>[]);
  }

  /** Those of all calls of a method, in their order. */
  requests<N extends MethodName>(method: N): RequestOf<N>[] {
    return this.calls.filter((call) => call.method === method).flatMap(({ requests }) => requests as RequestOf<N>[]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  async #answer(call: FakeCall): Promise<readonly unknown[]> {
    if (call.method !== 'ExchangeToken') this.calls.push(call);
    const answers = this.#answers.get(call.method) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) {
      const message = `the fake server was not told how to answer ${call.method}`;
      return [new errors.DrydockError(message, { reason: 'NOT_IMPLEMENTED' })];
    }
    const steps: unknown = typeof answer === 'function' ? await answer(...(call.requests as never[])) : answer;
    return Array.isArray(steps) ? steps : [steps];
  }
}

function definitionOf(service: string, methods: readonly AnyMethod[]) {
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const { name, requestType, requestStream, responseType, responseStream } of methods)
    definition[name] = {
      path: `/${service}/${name}`,
      requestStream,
      responseStream,
      requestSerialize: (message) => Buffer.from(requestType.encode(message as never).finish()),
      requestDeserialize: (bytes) => requestType.decode(bytes),
      responseSerialize: (message) => Buffer.from(responseType.encode(message as never).finish()),
      responseDeserialize: (bytes) => responseType.decode(bytes),
    };
  return definition;
}

function handlerOf(
  { name, requestStream, responseStream, responseType }: AnyMethod,
  answer: (call: FakeCall) => Promise<readonly unknown[]>,
): UntypedHandleCall {
  const toMessage = (step: unknown) => responseType.fromPartial(step as never);
  const stepsOf = async (call: Incoming) => {
    const requests = requestStream ? await gathered(call) : [call.request];
    return answer({ method: name, requests, metadata: call.metadata.getMap() });
  };
  if (responseStream)
    return async (call: Incoming) => {
      for (const step of await stepsOf(call)) {
        if (step instanceof errors.DrydockError) return call.emit('error', failureOf(step));
        call.write(toMessage(step));
      }
      call.end();
    };
  return async (call: Incoming, reply: sendUnaryData<unknown>) => {
    const [step] = await stepsOf(call);
    if (step instanceof errors.DrydockError) reply(failureOf(step));
    else reply(null, toMessage(step));
  };
}

/** An error as the platform says it. */
function failureOf(error: errors.DrydockError) {
  const code = CODES.find(([kind]) => error instanceof kind)?.[1] ?? status.INTERNAL;
  const { reason, message, metadata, retryAfterMs, fieldViolations, requestId } = error;
  const details = [detail('ErrorInfo', ErrorInfo.encode({ reason, domain: 'drydock', metadata: { ...metadata } }))];
  if (retryAfterMs !== undefined) {
    const retryDelay = { seconds: Math.floor(retryAfterMs / 1_000), nanos: (retryAfterMs % 1_000) * 1_000_000 };
    details.push(detail('RetryInfo', RetryInfo.encode({ retryDelay })));
  }
  if (fieldViolations.length > 0)
    details.push(
      detail('BadRequest', BadRequest.encode(BadRequest.fromPartial({ fieldViolations: [...fieldViolations] }))),
    );
  const trailer = new Metadata();
  trailer.set('grpc-status-details-bin', Buffer.from(Status.encode({ code, message, details }).finish()));
  if (requestId) trailer.set('x-request-id', requestId);
  return { code, details: message, metadata: trailer };
}

const detail = (type: string, encoded: { finish(): Uint8Array }) => ({
  typeUrl: `type.googleapis.com/google.rpc.${type}`,
  value: Buffer.from(encoded.finish()),
});

async function gathered(requests: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const request of requests) all.push(request);
  return all;
}
