import { join } from 'node:path';
import { service, startServer } from '#libs/grpc/server.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { aborted, every, run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { checkMigrated, migrate, openDatabase } from '#libs/postgres/database.ts';
import { relayOutbox } from '#libs/postgres/outbox.ts';
import { untilReady } from '#libs/postgres/until-ready.ts';
import { startTelemetry } from '#libs/telemetry.ts';
import {
  CertificateServiceDefinition,
  CredentialServiceDefinition,
  JoinServiceDefinition,
} from '#proto/drydock/internal/v1/auth.ts';
import { AuthServiceDefinition } from '#proto/drydock/v1/auth.ts';
import { createAuth } from './auth.ts';
import { createCertificates, createJoin } from './certificates.ts';
import { loadConfig } from './config.ts';
import { createCredentials } from './credentials.ts';
import { MAX_JOIN_BYTES, openIssuer } from './issuer.ts';
import { openSigningKeys } from './signing-keys.ts';
import { sweep } from './sweep.ts';

const SWEEP_MS = 10 * 60_000;
const MIGRATIONS = join(import.meta.dirname, '../../migrations/auth');

const log = createLogger('auth');

await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const tls = readTls(config.tlsDirectory, 'auth');

  const issuer = await openIssuer(config, tls);

  // Released in reverse order: calls drain first, what they need goes last.
  await using db = openDatabase(config.databaseUrl, 'auth', log);
  await using events = connectEvents({ url: config.natsUrl, name: 'auth', service: 'auth', tls, log });
  await untilReady(log, shutdown, () =>
    config.migrations === 'run'
      ? migrate(config.databaseUrl, 'auth', MIGRATIONS, log)
      : checkMigrated(config.databaseUrl, 'auth', MIGRATIONS),
  );
  const signingKeys = await openSigningKeys(db);
  await using relay = relayOutbox(db, events, log);
  await using _sweeper = every(SWEEP_MS, log, (signal) => sweep(db, signal));
  const dependencies = { db, signingKeys, wakeRelay: relay.trigger };
  const allow = { allow: ['gateway'] as const };
  await using server = await startServer({
    address: config.address,
    services: [
      service(AuthServiceDefinition, createAuth(dependencies), allow),
      service(CredentialServiceDefinition, createCredentials(dependencies), allow),
      ...(issuer
        ? [service(CertificateServiceDefinition, createCertificates({ db, ...issuer }), { allow: ['executor'] })]
        : []),
    ],
    log,
    tls,
  });
  await using _joining =
    issuer &&
    (await startServer({
      address: issuer.joinAddress,
      services: [service(JoinServiceDefinition, createJoin({ db, ...issuer }))],
      log,
      tls,
      authenticatesCallers: false,
      maxRequestBytes: MAX_JOIN_BYTES,
    }));
  await using _telemetry = await startTelemetry({
    service: 'auth',
    metricsAddress: config.metricsAddress,
    log,
    ready: async () => void (await db.query('select 1')),
  });

  log.info({ port: server.port }, 'listening');
  await aborted(shutdown);
});
