import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nameOfExecutor, type ServiceName } from '#libs/grpc/tls.ts';
import { ROOT } from '../host/root.ts';

/** Subjects on which a user may publish, and to which it may subscribe; it may nothing else. `<id>` is an executor's. */
export type Permissions = { publish: string[]; subscribe: string[] };

/** Of each service, whose user bears its name; executors have one each. The chart reads the same file. */
export const USERS: Record<ServiceName, Permissions> = JSON.parse(
  readFileSync(join(ROOT, 'deploy/helm/nats-users.json'), 'utf8'),
);

/**
 * Configuration of a NATS server that lets in clients with a certificate of our authority, by the name in it, over TLS and with
 * the permissions of that service. It is in JSON, which NATS reads. Paths are as the server sees them.
 */
export function natsConfig(options: {
  listen: string;
  storeDirectory: string;
  tls: { ca: string; certificate: string; key: string };
  executorIds: readonly string[];
}): string {
  const { listen, storeDirectory, tls, executorIds } = options;
  const { executor, ...services } = USERS;
  const config = {
    listen,
    jetstream: { store_dir: storeDirectory },
    tls: { ca_file: tls.ca, cert_file: tls.certificate, key_file: tls.key, verify_and_map: true },
    authorization: {
      users: [
        ...Object.entries(services).map(([name, permissions]) => userOf(name, name, permissions)),
        ...executorIds.map((id) => userOf(nameOfExecutor(id), `executor-${id}`, ofExecutor(executor, id))),
      ],
    },
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

function userOf(user: string, name: string, { publish, subscribe }: Permissions) {
  return {
    user,
    permissions: { publish: { allow: publish }, subscribe: { allow: [`_INBOX.${name}.>`, ...subscribe] } },
  };
}

function ofExecutor({ publish, subscribe }: Permissions, id: string): Permissions {
  const own = (subjects: string[]) => subjects.map((subject) => subject.replaceAll('<id>', id));
  return { publish: own(publish), subscribe: own(subscribe) };
}
