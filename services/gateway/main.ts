import { readFileSync } from 'node:fs';
import { connectEvents } from '#libs/events.ts';
import { watchExecutors } from '#libs/executor-directory.ts';
import { createClient } from '#libs/grpc/client.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { aborted, run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { startTelemetry } from '#libs/telemetry.ts';
import { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { createAuthentication } from './authentication.ts';
import { connectOwners } from './clients.ts';
import { loadConfig } from './config.ts';
import { createForwarding } from './forwarding.ts';
import { readDescriptors } from './http/bindings.ts';
import { describeApi } from './http/openapi.ts';
import { startHttpServer } from './http/server.ts';
import { createLimiter } from './rate-limit.ts';
import { createRoutes } from './routes.ts';

const READY_DEADLINE_MS = 2_000;

const log = createLogger('gateway');

await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const tls = readTls(config.tlsDirectory, 'gateway');
  const descriptors = readFileSync(config.descriptorsFile);
  const registry = readDescriptors(descriptors);

  // Released in reverse order: calls drain first, what they need goes last.
  await using events = connectEvents({ url: config.natsUrl, name: 'gateway', log });
  using credentials = createClient(CredentialServiceDefinition, config.authAddress, { name: 'auth', tls });
  using session = createClient(RecordServiceDefinition, config.sessionAddress, { name: 'session', tls });
  using owners = connectOwners(config, tls);
  using directory = watchExecutors(events);
  using routes = createRoutes({ session, directory, events });
  using authentication = createAuthentication({ credentials, events });
  const limiter = createLimiter(config.callsPerSecond, 2 * config.callsPerSecond);
  const handlers = createForwarding({ authentication, routes, limiter, clientOf: owners.clientOf });
  const ready = async () => void (await credentials.getKeySet({}, { deadlineMs: READY_DEADLINE_MS }));

  await using server = await startServer({
    address: config.address,
    services: [...handlers].map(([definition, implementation]) => service(definition, implementation)),
    log,
    public: true,
    descriptors,
  });
  await using http = await startHttpServer({
    address: config.httpAddress,
    registry,
    handlers,
    openapi: describeApi(registry, [...handlers.keys()]),
    ready,
    log,
  });
  await using _telemetry = await startTelemetry({ service: 'gateway', metricsAddress: config.metricsAddress, log, ready });

  log.info({ port: server.port, httpPort: http.port }, 'listening');
  await aborted(shutdown);
});
