import { readFile } from 'node:fs/promises';
import { watchExecutors } from '#libs/executor-directory.ts';
import { createClient } from '#libs/grpc/client.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { aborted, run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { ORGANIZATION_CHANGED, WEBHOOKS_DUE } from '#libs/nats/subjects.ts';
import { startTelemetry } from '#libs/telemetry.ts';
import { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { WebhookDeliveryServiceDefinition } from '#proto/drydock/internal/v1/webhook.ts';
import { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import { createAuthentication } from './authentication.ts';
import { loadConfig } from './config.ts';
import { openConnections } from './connections.ts';
import { readContract } from './contract.ts';
import { readDescriptors } from './descriptors.ts';
import { readSamples } from './docs/samples.ts';
import { createForwarding } from './forwarding.ts';
import { createGateway } from './gateway.ts';
import { createTranscoder } from './http/transcoding.ts';
import { createInFlight } from './in-flight.ts';
import { openPorts } from './ports.ts';
import { createRateLimit } from './rate-limit.ts';
import { createReadiness } from './readiness.ts';
import { watchRevocations } from './revocations.ts';
import { watchSandboxRoutes } from './sandbox-routes.ts';
import { openTlsFront } from './tls.ts';
import { createWaste } from './waste.ts';
import { createAddressRules } from './webhooks/addresses.ts';
import { createPost } from './webhooks/post.ts';
import { createResolver } from './webhooks/resolver.ts';
import { sendWebhooks } from './webhooks/sender.ts';

const log = createLogger('gateway');

// Over 70 lines: the wiring of the service, in the order in which its parts are made.
await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const { authAddress, sessionAddress, schedulerAddress } = config;
  const tls = readTls(config.tlsDirectory, 'gateway');
  const descriptors = readDescriptors(await readFile(config.descriptorsFile));
  const contract = readContract(descriptors);
  const samples = await readSamples(config.samplesFile);

  // Released in reverse order: calls drain first, what they need goes last.
  await using events = connectEvents({ url: config.natsUrl, name: 'gateway', service: 'gateway', tls, log });
  using credentials = createClient(CredentialServiceDefinition, authAddress, { name: 'auth', tls });
  using records = createClient(RecordServiceDefinition, sessionAddress, { name: 'session', tls });
  using templates = createClient(TemplateServiceDefinition, sessionAddress, { name: 'session', tls });
  using deliveries = createClient(WebhookDeliveryServiceDefinition, sessionAddress, { name: 'session', tls });
  using connections = openConnections(tls);
  using directory = watchExecutors(events);
  using routes = watchSandboxRoutes(records, events);
  await using revocations = watchRevocations({ credentials, events, log });
  const { authenticate, forget } = createAuthentication({ credentials, revocationsKnown: revocations.known });
  using _organizations = events.subscribe(ORGANIZATION_CHANGED, ({ organizationId }) => forget(organizationId));
  const gateway = createGateway({
    authenticate,
    revocations,
    rateLimit: createRateLimit(config.rate),
    inFlight: createInFlight(config.inFlight),
    contract,
    forward: createForwarding({
      contract,
      connections,
      addresses: { auth: authAddress, session: sessionAddress, scheduler: schedulerAddress },
      directory,
      routes,
    }),
  });
  const post = createPost({
    isAllowed: createAddressRules(config.webhooks.allowedRanges),
    ports: config.webhooks.allowedPorts,
    resolve: createResolver(),
  });
  await using webhooks = sendWebhooks({ deliveries, post, concurrency: config.webhooks.concurrency, log });
  using _webhooksDue = events.subscribe(WEBHOOKS_DUE, webhooks.trigger);
  const ready = createReadiness({ credentials, templates });
  using waste = createWaste();
  await using transcoder = createTranscoder(config.descriptorsFile);
  const { address, httpAddress, corsOrigins } = config;
  await using front = config.tls && (await openTlsFront(config.tls, log));
  await using ports = await openPorts({
    address,
    httpAddress,
    gateway,
    descriptors,
    contract,
    transcoder,
    samples,
    waste,
    ready,
    corsOrigins,
    tls: front,
    log,
  });
  await using _telemetry = await startTelemetry({
    service: 'gateway',
    metricsAddress: config.metricsAddress,
    log,
    ready,
  });

  log.info({ port: ports.port, httpPort: ports.httpPort }, 'listening');
  await aborted(shutdown);
});
