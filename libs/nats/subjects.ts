import type { ServiceName } from '#libs/grpc/tls.ts';
import {
  ApiKeyRevoked,
  ExecutionCancelled,
  ExecutionQueued,
  ExecutorAnnounced,
  OrganizationChanged,
  OrganizationDeleted,
  SandboxChanged,
  SandboxEnded,
  SandboxesInherited,
} from '#proto/drydock/internal/v1/events.ts';

const DAY_MS = 24 * 3_600_000;
/** Which token of the subject of an executor's event is its id. */
const EXECUTOR_TOKEN = 2;

export type Codec<T> = { encode(message: T): { finish(): Uint8Array }; decode(data: Uint8Array): T };

/**
 * A JetStream stream on disk. It keeps a message until it is acknowledged (`workQueue`), or for `maxAgeMs`. `owner` makes it;
 * the others wait until it has.
 */
export type Stream = {
  name: string;
  owner: ServiceName;
  subjects: string[];
  workQueue?: boolean;
  maxAgeMs?: number;
};

/** An event on core NATS: those that are subscribed at the time receive it. */
export type Event<T> = {
  subject: string;
  codec: Codec<T>;
  /** Of an event that each executor publishes on a subject of its own: who says it, as the message has it. */
  executorOf?: (message: T) => string;
};

/** An event that a stream stores. Plain subscribers receive it too. */
export type StoredEvent<T> = Event<T> & { stream: Stream };

/** Messages for one consumer each, on subjects that are `prefix` and one more token. */
export type WorkSubjects<T> = {
  prefix: string;
  stream: Stream;
  codec: Codec<T>;
  /** A message that is neither acknowledged nor extended for this long is delivered again. */
  ackWaitMs: number;
};

export const BYTES: Codec<Uint8Array> = { encode: (bytes) => ({ finish: () => bytes }), decode: (bytes) => bytes };
const TEXT: Codec<string> = {
  encode: (text) => ({ finish: () => Buffer.from(text) }),
  decode: (bytes) => Buffer.from(bytes).toString(),
};
const EMPTY: Codec<void> = { encode: () => ({ finish: () => new Uint8Array() }), decode: () => {} };

const AUTH: Stream = { name: 'AUTH', owner: 'auth', subjects: ['drydock.auth.>'], maxAgeMs: DAY_MS };
const SESSION: Stream = { name: 'SESSION', owner: 'session', subjects: ['drydock.session.>'], maxAgeMs: DAY_MS };
// Executors publish to it, and its reader makes it: the service that makes a stream says where its messages go.
const EXECUTOR: Stream = { name: 'EXECUTOR', owner: 'session', subjects: ['drydock.executor.>'], maxAgeMs: DAY_MS };
const QUEUE: Stream = { name: 'QUEUE', owner: 'session', subjects: ['drydock.queue.*'], workQueue: true };

export const STREAMS: readonly Stream[] = [AUTH, SESSION, EXECUTOR, QUEUE];

/** For `executorId`, all of them, to subscribe to. */
export const ANY = '*';

export const API_KEY_REVOKED = stored('drydock.auth.apikey.revoked', AUTH, ApiKeyRevoked);
export const ORGANIZATION_CHANGED = stored('drydock.auth.organization.changed', AUTH, OrganizationChanged);
export const ORGANIZATION_DELETED = stored('drydock.auth.organization.deleted', AUTH, OrganizationDeleted);
export const SANDBOX_CHANGED = stored('drydock.session.sandbox.changed', SESSION, SandboxChanged);
export const EXECUTION_CANCELLED = stored('drydock.session.execution.cancelled', SESSION, ExecutionCancelled);

/** A sandbox of an executor ended without a call. */
export const sandboxEnded = (executorId: string): StoredEvent<SandboxEnded> => ({
  subject: `drydock.executor.${executorId}.sandbox.stopped`,
  stream: EXECUTOR,
  codec: SandboxEnded,
  executorOf: (message) => message.executorId,
});
/** An executor took over what a dead one left. */
export const sandboxesInherited = (heirExecutorId: string): StoredEvent<SandboxesInherited> => ({
  subject: `drydock.executor.${heirExecutorId}.sandboxes.inherited`,
  stream: EXECUTOR,
  codec: SandboxesInherited,
  executorOf: (message) => message.heirExecutorId,
});
/** An executor's heartbeat, every second. */
export const executorAnnounced = (executorId: string): Event<ExecutorAnnounced> => ({
  subject: `drydock.executors.${executorId}.announced`,
  codec: ExecutorAnnounced,
  executorOf: (message) => message.executorId,
});
/** Asks every executor for a heartbeat at once. */
export const EXECUTORS_DISCOVER: Event<void> = { subject: 'drydock.executors.discover', codec: EMPTY };
/** Id of a sandbox or an execution whose state changed, for the calls that wait for it. */
export const SETTLED: Event<string> = { subject: 'drydock.settled', codec: TEXT };
/** There are deliveries to webhooks to send. */
export const WEBHOOKS_DUE: Event<void> = { subject: 'drydock.webhooks.due', codec: EMPTY };

/** Tickets for executions; the last token of a subject is the organisation's id. */
export const EXECUTION_QUEUE: WorkSubjects<ExecutionQueued> = {
  prefix: 'drydock.queue',
  stream: QUEUE,
  codec: ExecutionQueued,
  ackWaitMs: 15_000,
};

/** The event of one last token; `*` stands for each, to subscribe to all. */
export function workEvent<T>({ prefix, stream, codec }: WorkSubjects<T>, token: string): StoredEvent<T> {
  return { subject: `${prefix}.${token}`, stream, codec };
}

export function tokenOf({ prefix }: Pick<WorkSubjects<unknown>, 'prefix'>, subject: string): string {
  return subject.slice(prefix.length + 1);
}

/** The event of a stored message that is forwarded as it is. */
export function encodedEvent(subject: string): StoredEvent<Uint8Array> {
  const stream = STREAMS.find(({ subjects: [pattern] }) => subject.startsWith(pattern!.slice(0, -1)));
  if (!stream) throw new Error(`no stream stores ${subject}`);
  return { subject, stream, codec: BYTES };
}

/**
 * The message of an event that came on a subject. Undefined where it is none: JetStream delivers what it stores on any subject
 * that a reader asks for, so what came as one event may be another; and an executor speaks for itself alone.
 */
export function decode<T>({ subject: pattern, codec, executorOf }: Event<T>, subject: string, data: Uint8Array) {
  const wanted = pattern.split('.');
  const found = subject.split('.');
  if (wanted.length !== found.length || wanted.some((token, at) => token !== ANY && token !== found[at]))
    return undefined;
  const message = codec.decode(data);
  if (executorOf && executorOf(message) !== found[EXECUTOR_TOKEN]) return undefined;
  return { message };
}

export function encode<T>({ codec }: Event<T>, message: T): Buffer {
  return Buffer.from(codec.encode(message).finish());
}

function stored<T>(subject: string, stream: Stream, codec: Codec<T>): StoredEvent<T> {
  return { subject, stream, codec };
}
