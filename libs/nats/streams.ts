import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { type NatsConnection, RequestError } from '@nats-io/transport-node';

type Wanted = Partial<StreamConfig> & Pick<StreamConfig, 'name'>;

/** JetStream's manager, once these streams are there: each is made where there is none, and else left as it is. */
export async function managerOf(connection: NatsConnection, streams: Wanted[]): Promise<JetStreamManager> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  for (const wanted of streams) {
    const existing = await manager.streams.info(wanted.name).catch(missingStream);
    if (!existing) await manager.streams.add(wanted);
  }
  return manager;
}

const isApiError = (error: unknown, code: number) => error instanceof JetStreamApiError && error.code === code;

/** For `catch`: nothing where there is no such stream. Any other failure is thrown on: it says nothing of the stream. */
function missingStream(error: unknown): undefined {
  if (!isApiError(error, JetStreamApiCodes.StreamNotFound)) throw error;
}

/** For `catch`: nothing where the stream has no such consumer. Any other failure is thrown on. */
export function missingConsumer(error: unknown): undefined {
  if (!isApiError(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
}

/** Whether a message was published that no stream takes. */
export function isTakenByNone(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}
