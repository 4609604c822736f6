import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { type NatsConnection, RequestError } from '@nats-io/transport-node';
import type { ServiceName } from '#libs/grpc/tls.ts';
import type { Stream } from '#libs/nats/subjects.ts';

/**
 * JetStream's manager, once the stream exists: `service`, if it is its owner or nobody in particular, makes it if NATS has none.
 * An existing one is left as it is.
 */
export async function managerOf(
  connection: NatsConnection,
  stream: Stream,
  service: ServiceName | undefined,
): Promise<JetStreamManager> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const existing = await manager.streams.info(stream.name).catch(missingStream);
  if (existing) return manager;
  if (service && service !== stream.owner)
    throw new Error(`${stream.owner} has not made the stream ${stream.name} yet`);
  await manager.streams.add(configOf(stream));
  return manager;
}

function configOf({ name, subjects, workQueue = false, maxAgeMs }: Stream) {
  return {
    name,
    subjects,
    retention: workQueue ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
    storage: StorageType.File,
    ...(maxAgeMs ? { discard: DiscardPolicy.Old, max_age: maxAgeMs * 1e6 } : {}),
  };
}

const isApiError = (error: unknown, code: number) => error instanceof JetStreamApiError && error.code === code;

/** For `catch`: undefined if there is no such stream. Rethrows any other error. */
function missingStream(error: unknown): undefined {
  if (!isApiError(error, JetStreamApiCodes.StreamNotFound)) throw error;
}

/** For `catch`: undefined if the stream has no such consumer. Rethrows any other error. */
export function missingConsumer(error: unknown): undefined {
  if (!isApiError(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
}

/** Whether publishing failed because no stream stores the subject. */
export function isTakenByNone(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}
