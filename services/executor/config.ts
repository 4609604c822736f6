import { availableParallelism, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Environment, readEnvironment } from '#libs/config.ts';
import { EXECUTOR_ID, EXECUTOR_ID_WORDS } from '#libs/executor-id.ts';
import { FIRST_USER_ID, MAX_USER_ID, USER_IDS, type UserIds } from '#libs/user-ids.ts';
import { processesForSandboxes, processIdsOfHost } from './instances/host-processes.ts';

const ROOT = join(import.meta.dirname, '../..');
// The path of a unix socket has at most 107 bytes, of which 46 follow the data directory.
const DATA_PATH = /^.{1,60}$/;
const DATA_PATH_WORDS = 'at most 60 characters, for the sockets below it';
const GiB = 1024 ** 3;
const SLOTS_PER_CORE = 2;
// Two blobs of the largest size, so that one in use does not keep out another.
const MIN_BLOB_CACHE_BYTES = GiB / 2;
// The name of a namespace is this prefix and the id of an organisation.
const NAMESPACE_PREFIX = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;
const NAMESPACE_PREFIX_WORDS = '1 to 32 lower-case letters, digits and inner dashes';

// As many replicas as the chart allows.
const MAX_INDEX = 999;

export function loadConfig(variables: Environment) {
  const env = readEnvironment(variables);
  const backend = env.oneOf('EXECUTOR_BACKEND', ['docker', 'kubernetes'], 'docker');
  const address = env.string('EXECUTOR_ADDRESS', '127.0.0.1:7004');
  const config = {
    id: env.matching('EXECUTOR_ID', EXECUTOR_ID, EXECUTOR_ID_WORDS, hostname()),
    address,
    advertisedAddress: env.string('EXECUTOR_ADVERTISED_ADDRESS', address),
    metricsAddress: env.string('EXECUTOR_METRICS_ADDRESS', '127.0.0.1:9104'),
    natsUrl: env.string('NATS_URL'),
    sessionAddress: env.string('SESSION_ADDRESS', '127.0.0.1:7002'),
    tlsDirectory: env.optional('TLS_DIR'),
    /** Auth, for a certificate. Without the first, that in `TLS_DIR` is used as long as it lasts. */
    joinAddress: env.optional('AUTH_JOIN_ADDRESS'),
    authAddress: env.string('AUTH_ADDRESS', '127.0.0.1:7001'),
    joinTokenFile: env.optional('EXECUTOR_JOIN_TOKEN_FILE'),
    serviceAccountTokenFile: env.optional('EXECUTOR_SERVICE_ACCOUNT_TOKEN_FILE'),
    dataDirectory: env.matching('EXECUTOR_DATA_DIR', DATA_PATH, DATA_PATH_WORDS, '/var/lib/drydock/executor'),
    backend,
    kubeconfig: env.optional('KUBECONFIG'),
    namespacePrefix: env.matching('KUBERNETES_NAMESPACE_PREFIX', NAMESPACE_PREFIX, NAMESPACE_PREFIX_WORDS, 'drydock'),
    kubernetesRole: env.optional('KUBERNETES_ROLE'),
    namespaceIdleMs: env.integer('KUBERNETES_NAMESPACE_IDLE_SECONDS', 86_400, { min: 1 }) * 1_000,
    /** `none` accepts tenants on a cluster that does not enforce network policies. */
    networkIsolation: env.oneOf('KUBERNETES_NETWORK_ISOLATION', ['enforced', 'none'], 'enforced'),
    /** `false` gives each pod a user namespace; that was not tried. */
    hostUsers: env.oneOf('KUBERNETES_HOST_USERS', ['true', 'false'], 'true') === 'true',
    cpuOvercommit: env.integer('KUBERNETES_CPU_OVERCOMMIT', 1, { min: 1, max: 100 }),
    agentImage: backend === 'kubernetes' ? env.string('KUBERNETES_AGENT_IMAGE') : '',
    userIds: userIdsFrom(env),
    dockerSocket: env.string('DOCKER_SOCKET', '/var/run/docker.sock'),
    agentBinary: env.string('AGENT_BINARY', join(ROOT, '.build/bin/drydock-agent')),
    seccompProfile: env.string('SECCOMP_PROFILE', join(ROOT, '.build/seccomp.json')),
    cellBinary: env.string('CELL_BINARY', join(ROOT, '.build/bin/cell')),
    cellSeccompProfile: env.string('CELL_SECCOMP_PROFILE', join(ROOT, '.build/seccomp-cells.json')),
    catalogFile: env.string('CATALOG_FILE', join(ROOT, 'deploy/images/catalog.json')),
    /** Of what compile steps made, in the data directory; 0 keeps nothing. */
    artifactCacheBytes: env.integer('EXECUTOR_ARTIFACT_CACHE_BYTES', 2 * GiB, { min: 0, max: 1024 * GiB }),
    /** Of copies of blobs, beside it. */
    blobCacheBytes: env.integer('EXECUTOR_BLOB_CACHE_BYTES', 2 * GiB, { min: MIN_BLOB_CACHE_BYTES, max: 1024 * GiB }),
    drainMs: env.integer('EXECUTOR_DRAIN_SECONDS', 3_600, { min: 1 }) * 1_000,
    maxSandboxes: env.integer('EXECUTOR_MAX_SANDBOXES', 200, { min: 1, max: 10_000 }),
    executionSlots: env.integer('EXECUTOR_EXECUTION_SLOTS', SLOTS_PER_CORE * availableParallelism(), {
      min: 1,
      max: 10_000,
    }),
    /** At most 928 in sum: the rest of an agent's 1,024 streams is for calls that are not counted. */
    streams: {
      processes: env.integer('EXECUTOR_PROCESS_STREAMS', 256, { min: 1, max: 400 }),
      inputs: env.integer('EXECUTOR_INPUT_STREAMS', 128, { min: 1, max: 160 }),
      files: env.integer('EXECUTOR_FILE_STREAMS', 192, { min: 1, max: 224 }),
      watches: env.integer('EXECUTOR_WATCH_STREAMS', 16, { min: 1, max: 16 }),
      tunnels: env.integer('EXECUTOR_TUNNEL_STREAMS', 128, { min: 1, max: 128 }),
    },
    leaseIdleMs: env.integer('EXECUTOR_LEASE_IDLE_MS', 60_000, { min: 1_000, max: 3_600_000 }),
    /** Of all sandboxes together. A cluster's nodes limit those of pods themselves. */
    processes:
      backend === 'docker'
        ? env.integer('EXECUTOR_PROCESSES', processesForSandboxes(), { min: 16, max: processIdsOfHost() })
        : Number.MAX_SAFE_INTEGER,
    memoryBytes: env.integer('EXECUTOR_MEMORY_BYTES', Math.floor(totalmem() * 0.8), { min: 64 * 1024 * 1024 }),
  };
  if (config.joinAddress && !config.tlsDirectory) env.problem('AUTH_JOIN_ADDRESS', 'needs TLS_DIR');
  env.check();
  return config;
}

/** Of executors on one host or in one cluster each has an index, and so its own ids. */
function userIdsFrom(env: ReturnType<typeof readEnvironment>): UserIds {
  // Below 65,536 are a host's own users, and those of its services.
  const lowest = env.integer('EXECUTOR_FIRST_USER_ID', FIRST_USER_ID, { min: 65_536, max: MAX_USER_ID });
  const count = env.integer('EXECUTOR_USER_IDS', USER_IDS, {
    min: 1,
    max: MAX_USER_ID - lowest + 1,
  });
  const last = Math.floor((MAX_USER_ID - lowest + 1) / count) - 1;
  const index = env.integer('EXECUTOR_INDEX', 0, { max: Math.max(0, Math.min(last, MAX_INDEX)) });
  return { first: lowest + index * count, count };
}
