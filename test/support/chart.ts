import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { inject } from 'vitest';
import { API_PORT, LINK } from '../../deploy/dev-cluster/addresses.ts';
import { ensureHelm } from '../../deploy/dev-cluster/binaries.ts';
import { ensureBundledImage } from '../../deploy/docker/bundled-images.ts';
import { makeServiceImage } from '../../deploy/docker/service-image.ts';
import { BUILD, ROOT } from '../../deploy/host/root.ts';
import { connectCluster } from './cluster.ts';

const CHART = join(ROOT, 'deploy/helm');
const IMAGE_CACHE = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';
const DATA_DIRECTORY = process.env.DRYDOCK_DATA_DIR || '/var/lib/drydock';

/** The chart of the checkout and the project's cluster, for one release. */
export async function openChart(release: string, namespace: string) {
  const { kubeconfig, kubectl } = inject('cluster');
  const home = await mkdtemp(join(tmpdir(), 'drydock-helm-'));
  const program = await ensureHelm(join(DATA_DIRECTORY, 'cluster/bin'), (line) => process.stderr.write(`${line}\n`));
  const env = { KUBECONFIG: kubeconfig, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
  const helm = (...args: string[]) => execa(program, args, { env });
  const withValues = async (values: object, run: (...args: string[]) => Promise<{ stdout: string }>) => {
    const file = join(home, 'values.json');
    await writeFile(file, JSON.stringify(values));
    return (await run('--namespace', namespace, '--values', file)).stdout;
  };
  return {
    lint: async () => (await helm('lint', '--strict', CHART)).stdout,
    /** What would be asked of a cluster, an object each. */
    async render(values: object): Promise<string[]> {
      const rendered = await withValues(values, (...args) => helm('template', release, CHART, ...args));
      return rendered.split(/^---$/m).filter((document) => /^kind: /m.test(document));
    },
    /** Of the chart with more templates, by the name of their files. */
    async install(values: object, templates: Record<string, string> = {}) {
      const chart = join(home, 'chart');
      await cp(CHART, chart, { recursive: true });
      for (const [file, template] of Object.entries(templates))
        await writeFile(join(chart, 'templates', file), template);
      return withValues(values, (...args) => helm('install', release, chart, ...args, '--wait', '--timeout=180s'));
    },
    upgrade: (values: object) =>
      withValues(values, (...args) => helm('upgrade', release, CHART, ...args, '--wait', '--timeout=180s')),
    /** Does nothing where it is not installed. */
    uninstall: () =>
      helm('uninstall', release, '--namespace', namespace, '--ignore-not-found', '--wait', '--timeout=120s'),
    kubectl: (args: string[], input = '') => execa(kubectl, [`--cache-dir=${home}`, ...args], { env, input }),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

/** Gives the cluster every image of a platform; answers with the values that name them, for a small one. */
export async function smallPlatform(namespacePrefix: string) {
  const cluster = connectCluster();
  const builder = { cacheDirectory: IMAGE_CACHE, onProgress: (line: string) => process.stderr.write(`${line}\n`) };
  const service = await makeServiceImage({ ...builder, directory: BUILD });
  const postgresql = await ensureBundledImage('postgresql', builder);
  const nats = await ensureBundledImage('nats', builder);
  for (const { archive, tag } of [service, postgresql, nats]) await cluster.importImage(archive, tag);
  const resources = { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '512Mi' } };
  const one = { replicas: 1, autoscaling: { enabled: false }, resources };
  return {
    image: imageOf(service.tag),
    sandboxes: {
      namespacePrefix,
      agentImage: imageOf(process.env.AGENT_IMAGE!),
      cpuOvercommit: 10,
      catalog: await smallCatalog(),
    },
    gateway: { replicas: 2, resources, service: { type: 'NodePort' } },
    auth: one,
    session: one,
    scheduler: one,
    executor: { ...one, replicas: 2, drain: { enabled: true, seconds: 5 } },
    database: { resources },
    postgresql: { image: imageOf(postgresql.tag), persistence: { enabled: false }, resources },
    nats: { image: imageOf(nats.tag), persistence: { enabled: false }, resources },
    networkPolicy: {
      // Here both are processes of the node.
      dns: [{ ipBlock: { cidr: `${LINK.node.address}/32` } }],
      apiServer: { cidrs: [`${LINK.node.address}/32`], ports: [API_PORT] },
    },
  };
}

function imageOf(reference: string) {
  const [repository, tag] = reference.split(':');
  return { repository, tag };
}

/** Python alone, with one warm sandbox for each executor. */
async function smallCatalog(): Promise<string> {
  const { templates, languages } = JSON.parse(await readFile(join(ROOT, 'deploy/images/catalog.json'), 'utf8'));
  const isPython = ({ id, template }: { id?: string; template?: string }) => (id ?? template) === 'python';
  const template = { ...templates.find(isPython), image: process.env.PYTHON_IMAGE, pool: { floor: 1, ceiling: 2 } };
  return JSON.stringify({ templates: [template], languages: languages.filter(isPython) });
}
