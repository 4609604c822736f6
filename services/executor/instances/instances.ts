import type { SandboxLimits, Template } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import type { Logger } from '#libs/log.ts';
import { durationHistogram } from '#libs/telemetry.ts';
import { type AgentLink, openLink, removeStaleLinks } from '../agent/link.ts';
import type { StreamLimits } from '../agent/stream-limits.ts';
import type { Backend, Purpose } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';
import { prepareCell, untilIsolated, untilReady } from './readiness.ts';

const starts = durationHistogram('executor_instance_start_seconds', 'From the engine call to an agent that answers.', [
  'template',
]);

/** An instance with its agent connected. */
export type Instance = {
  id: string;
  template: Template;
  limits: SandboxLimits;
  link: AgentLink & AsyncDisposable;
};

/** An instance to create. */
export type Order = {
  template: Template;
  limits: SandboxLimits;
  purpose: Purpose;
  /** The organisation that it is reserved for; null if any may claim it. */
  tenant: Tenant | null;
};

export type Instances = {
  /**
   * Creates an instance and waits until its agent answers; one for cells has created its first cell by then. `urgent`: a caller
   * waits for it. Errors: SANDBOX_START_FAILED; NOT_IMPLEMENTED if the template cannot have cells.
   */
  create(order: Order, signal: AbortSignal, options?: { urgent: boolean }): Promise<Instance>;
  /** Whether urgent orders need the host, which is the only one and has to be left to them. */
  isBusy(): boolean;
  /** Whether a template can have cells; undefined until the first instance for cells was created. */
  hasCells(template: string): boolean | undefined;
  /** Connects to an instance of an earlier process, and waits for its agent for at most 20 s. The agent may answer later. */
  adopt(instanceId: string, template: Template, limits: SandboxLimits): Promise<Instance>;
  /** Destroys an instance. Idempotent. */
  destroy(instance: Instance): Promise<void>;
  /** Destroys an instance that has no claim. If that fails, the next reconciliation destroys it. */
  abandon(instance: Instance): Promise<void>;
  /** Disconnects from an instance that another executor has taken over. */
  release(instance: Instance): Promise<void>;
  /** Destroys an instance that an earlier process left. */
  destroyUnknown(instanceId: string): Promise<void>;
  /** Ids of the instances that are being created, run, or are being destroyed; no others belong to this process. */
  known(): Set<string>;
};

export type InstancesDependencies = {
  backend: Backend;
  dataDirectory: string;
  streams: StreamLimits;
  log: Logger;
};

type State = InstancesDependencies & {
  known: Set<string>;
  /** By template: whether it can have cells. */
  cells: Map<string, boolean>;
  /** Orders for which a caller waits. */
  urgent: number;
};

export function createInstances(dependencies: InstancesDependencies): Instances {
  const { backend, dataDirectory, log } = dependencies;
  removeStaleLinks(dataDirectory);
  const state: State = { ...dependencies, known: new Set(), cells: new Map(), urgent: 0 };
  return {
    async create(order, signal, { urgent } = { urgent: false }) {
      if (urgent) state.urgent++;
      try {
        return await create(state, order, signal);
      } finally {
        if (urgent) state.urgent--;
      }
    },
    isBusy: () => backend.capabilities.isOneHost && state.urgent > 0,
    hasCells: (template) => hasCells(state, template),
    async adopt(instanceId, template, limits) {
      const instance = await open(state, instanceId, template, limits);
      await untilReady(instance.link, template.id).catch((error) =>
        log.warn({ err: error, instanceId }, 'the agent of an adopted sandbox does not answer yet'),
      );
      return instance;
    },
    destroy: (instance) => destroy(state, instance),
    abandon: (instance) => abandon(state, instance),
    async release(instance) {
      state.known.delete(instance.id);
      await instance.link[Symbol.asyncDispose]();
    },
    destroyUnknown: (instanceId) => backend.destroy(instanceId),
    known: () => new Set(state.known),
  };
}

async function create(state: State, { template, limits, purpose, tenant }: Order, signal: AbortSignal) {
  const { backend } = state;
  if (purpose === 'cells' && hasCells(state, template.id) === false) throw noCells(template.id);
  const end = starts.startTimer({ template: template.id });
  const instance = await open(state, newId('ins'), template, limits);
  const { id: instanceId, link } = instance;
  try {
    const { id, image, writableRoot, runtime } = template;
    await backend.create({ instanceId, purpose, tenant, template: id, image, limits, writableRoot, runtime }, signal);
    await untilReady(link, id, signal);
    await untilIsolated(link, id, backend.cluster?.forbiddenAddresses(instanceId) ?? [], signal);
    if (purpose === 'cells') await createFirstCell(state, instance, signal);
    end();
    return instance;
  } catch (error) {
    await abandon(state, instance);
    throw error;
  }
}

async function createFirstCell({ cells, log }: State, { link, template }: Instance, signal: AbortSignal) {
  const canHaveCells = await prepareCell(link, signal);
  cells.set(template.id, canHaveCells);
  if (canHaveCells) return;
  log.warn({ template: template.id }, 'template cannot have cells');
  throw noCells(template.id);
}

async function open(state: State, id: string, template: Template, limits: SandboxLimits): Promise<Instance> {
  const { backend, dataDirectory, streams, known } = state;
  known.add(id);
  try {
    return { id, template, limits, link: await openLink(dataDirectory, id, backend, streams) };
  } catch (error) {
    known.delete(id);
    throw error;
  }
}

async function destroy({ backend, known }: State, { id, link }: Instance): Promise<void> {
  await link[Symbol.asyncDispose]();
  await backend.destroy(id);
  known.delete(id);
}

async function abandon(state: State, instance: Instance): Promise<void> {
  await destroy(state, instance).catch((error) => {
    state.known.delete(instance.id);
    state.log.warn({ err: error, instanceId: instance.id }, 'failed to destroy an instance; trying again later');
  });
}

function hasCells({ backend, cells }: State, template: string): boolean | undefined {
  return backend.capabilities.hostsCells && cells.get(template);
}

function noCells(template: string): DrydockError {
  return new DrydockError('NOT_IMPLEMENTED', `template ${template} cannot have cells here; use isolation SANDBOX`);
}
