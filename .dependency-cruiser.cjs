// The import rules of the architecture: one technology has one home, services meet only in the protos.
const SERVICES = '^services/([^/]+)/';
const TESTS = '(\\.test|-fixture)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'services-meet-in-protos',
      severity: 'error',
      from: { path: SERVICES },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'libs-import-no-service',
      severity: 'error',
      from: { path: '^libs/', pathNot: TESTS },
      to: { path: '^(services|deploy|test)/' },
    },
    {
      name: 'services-import-no-deploy',
      severity: 'error',
      from: { path: '^services/', pathNot: TESTS },
      to: { path: '^(deploy|test)/' },
    },
    home('dockerode', '^(services/executor/backends/docker|deploy|test)/'),
    home(
      '@kubernetes/client-node',
      '^(services/executor/backends/kubernetes/|services/auth/token-review\\.ts$|deploy/|test/)',
    ),
    home('@peculiar/x509', '^(libs/certificates/|services/auth/certificates\\.test\\.ts$)'),
    home('pg', '^(libs/postgres/database(\\.test)?\\.ts|deploy/|test/)'),
    home('@nats-io/', '^(libs/nats/|libs/postgres/outbox\\.test\\.ts|test/)'),
    home('fastify', '^(services/gateway|test)/'),
    home('@grpc/grpc-js', '^libs/(grpc|sdk)/'),
    {
      name: 'sdk-stands-alone',
      severity: 'error',
      from: { path: '^libs/sdk/([^/]+)/' },
      to: { pathNot: '^(libs/sdk/$1/|node_modules/)', dependencyTypesNot: ['core'] },
    },
    {
      name: 'nobody-imports-the-sdk',
      severity: 'error',
      from: { pathNot: '^(libs/sdk/|libs/cli/|test/sdk/)' },
      to: { path: '^libs/sdk/' },
    },
    {
      name: 'cli-stands-on-the-sdk-alone',
      severity: 'error',
      from: { path: '^libs/cli/' },
      to: { pathNot: '^(libs/cli/|libs/sdk/typescript/src/|node_modules/)', dependencyTypesNot: ['core'] },
    },
    {
      name: 'nobody-imports-the-cli',
      severity: 'error',
      from: { pathNot: '^libs/cli/' },
      to: { path: '^libs/cli/', pathNot: '^libs/cli/(build|recordings)\\.ts$' },
    },
    ...layers('services/executor', ['api', 'lifecycle', 'executions', 'sandboxes', 'instances', 'agent', 'backends']),
    ...layers('services/session', [
      'upkeep',
      'webhooks',
      'queue',
      'test-sets',
      'executions',
      'sandboxes',
      'blobs',
      'requests',
    ]),
    ...layers('deploy', ['checks', 'doctor', 'docker', 'local', 'dev-cluster', 'images', 'build', 'host']),
    {
      // A service has the packages of `dependencies` alone.
      name: 'services-need-no-package-of-a-start',
      severity: 'error',
      from: { path: '^(services|libs/(?!sdk/|cli/))', pathNot: '(\\.test|-fixture|-cases)\\.ts$' },
      to: { dependencyTypes: ['npm-peer'] },
    },
    {
      // A start has those of `peerDependencies` besides, and no others. Not optional ones: npm leaves out those that want a newer Node
      // than its own.
      name: 'start-needs-no-development-package',
      severity: 'error',
      from: {
        path: '^(services|deploy/(local|doctor|dev-cluster|images|host)|libs/(?!sdk/|cli/)|deploy/build/(generate|go|go-module|made-once|samples)\\.ts)',
        pathNot: '(\\.test|-fixture|-cases)\\.ts$',
      },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^(services|libs|deploy)/' },
      to: { circular: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules', '^\\.build'] },
    exclude: { path: '^(test/corpus/[^/]+/|libs/sdk/typescript/(src/generated|examples)/)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};

/** Folders of a part, each of which imports only from those after it. Its root, with main.ts, imports any. */
function layers(part, folders) {
  return folders.map((folder, index) => ({
    name: `layers-of-${part.split('/').at(-1)}`,
    severity: 'error',
    from: { path: `^${part}/${folder}/`, pathNot: TESTS },
    to: { path: `^${part}/`, pathNot: `^${part}/(${folders.slice(index).join('|')})/` },
  }));
}

function home(name, path) {
  return {
    name: `home-of-${name.replace(/\W/g, '')}`,
    severity: 'error',
    from: { pathNot: path },
    to: { path: `node_modules/${name}${name.endsWith('/') ? '' : '/'}` },
  };
}
