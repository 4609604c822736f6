import { readFile } from 'node:fs/promises';
import { connectEvents } from '#libs/events.ts';
import { watchExecutors } from '#libs/executor-directory.ts';
import { createClient } from '#libs/grpc/client.ts';
import { startServer } from '#libs/grpc/server.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { aborted, run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { startTelemetry } from '#libs/telemetry.ts';
import { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import { OrganizationChanged } from '#proto/drydock/internal/v1/events.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { WebhookDeliveryServiceDefinition } from '#proto/drydock/internal/v1/webhook.ts';
import { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import { createAuthentication } from './authentication.ts';
import { loadConfig } from './config.ts';
import { openConnections } from './connections.ts';
import { publicFiles, readDescriptors } from './descriptors.ts';
import { createForwarding } from './forwarding.ts';
import { createGateway, publicServices } from './gateway.ts';
import { startHttp } from './http/server.ts';
import { createRateLimit } from './rate-limit.ts';
import { createReadiness } from './readiness.ts';
import { watchRevocations } from './revocations.ts';
import { watchSandboxRoutes } from './sandbox-routes.ts';
import { createAddressRules } from './webhooks/addresses.ts';
import { createPost } from './webhooks/post.ts';
import { createResolver } from './webhooks/resolver.ts';
import { sendWebhooks } from './webhooks/sender.ts';

const log = createLogger('gateway');

await run(log, async (shutdown) => {
  const config = loadConfig(process.env);
  const { authAddress, sessionAddress, schedulerAddress } = config;
  const tls = readTls(config.tlsDirectory, 'gateway');
  const descriptors = readDescriptors(await readFile(config.descriptorsFile));

  // Released in reverse order: calls drain first, what they need goes last.
  await using events = connectEvents({ url: config.natsUrl, name: 'gateway', log });
  using credentials = createClient(CredentialServiceDefinition, authAddress, { name: 'auth', tls });
  using records = createClient(RecordServiceDefinition, sessionAddress, { name: 'session', tls });
  using templates = createClient(TemplateServiceDefinition, sessionAddress, { name: 'session', tls });
  using deliveries = createClient(WebhookDeliveryServiceDefinition, sessionAddress, { name: 'session', tls });
  using connections = openConnections(tls);
  using directory = watchExecutors(events);
  using routes = watchSandboxRoutes(records, events);
  await using revocations = watchRevocations({ credentials, events, log });
  const { authenticate, forget } = createAuthentication({ credentials, revocationsKnown: revocations.known });
  using _organizations = events.subscribe('drydock.auth.organization.changed', (data) =>
    forget(OrganizationChanged.decode(data).organizationId),
  );
  const gateway = createGateway({
    authenticate,
    revocations,
    rateLimit: createRateLimit(config.rate),
    forward: createForwarding({
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
  using _webhooksDue = events.subscribe('drydock.webhooks.due', webhooks.trigger);
  const ready = createReadiness({ credentials, templates });
  await using grpc = await startServer({
    address: config.address,
    services: publicServices(gateway),
    log,
    public: true,
    descriptors: publicFiles(descriptors),
  });
  await using http = await startHttp({ address: config.httpAddress, gateway, descriptors, ready, log });
  await using _telemetry = await startTelemetry({
    service: 'gateway',
    metricsAddress: config.metricsAddress,
    log,
    ready,
  });

  log.info({ port: grpc.port, httpPort: http.port }, 'listening');
  await aborted(shutdown);
});
