import type { Catalog, SandboxLimits, Template } from '#libs/catalog/catalog.ts';
import { DrydockError, hasReason } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import type { Logger } from '#libs/log.ts';
import { durationHistogram } from '#libs/telemetry.ts';
import { type AgentLink, openLink, removeStaleLinks } from '../agent/link.ts';
import type { StreamLimits } from '../agent/stream-limits.ts';
import type { Backend, Purpose } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';

const READY_DEADLINE_MS = 20_000;
// A policy may come into force a moment after the sandbox does; a connection that nothing forbids takes far less than a probe.
const ISOLATED_MS = 10_000;
const PROBE_MS = 300;

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

/** Whom an instance is made for, null for whoever claims it, and what it is to be. */
export type Order = { template: Template; limits: SandboxLimits; purpose: Purpose; tenant: Tenant | null };

export type Instances = {
  /**
   * Makes an instance and waits until its agent answers; one for cells has made the first one by then. Errors:
   * SANDBOX_START_FAILED; NOT_IMPLEMENTED where the template can have no cells.
   */
  create(order: Order, signal: AbortSignal): Promise<Instance>;
  /** Whether a template can have cells; nothing where that has not come to light yet. */
  hasCells(template: string): boolean | undefined;
  /** Connects to an instance that an earlier process made, and waits for its agent for a while. It may answer later. */
  adopt(instanceId: string, template: Template, limits: SandboxLimits): Promise<Instance>;
  /** Ends an instance. Repeating it is harmless. */
  destroy(instance: Instance): Promise<void>;
  /** Ends an instance that nobody is to have. Where that fails, whoever next looks at what there is ends it as nobody's. */
  abandon(instance: Instance): Promise<void>;
  /** Lets go of an instance that is another executor's now. */
  release(instance: Instance): Promise<void>;
  /** Ends an instance that an earlier process left. */
  destroyUnknown(instanceId: string): Promise<void>;
  /** Instances that are being made, alive, or being ended; what the backend has besides is nobody's. */
  known(): Set<string>;
};

export function createInstances(dependencies: {
  backend: Backend;
  dataDirectory: string;
  catalog: Catalog;
  streams: StreamLimits;
  log: Logger;
}): Instances {
  const { backend, dataDirectory, streams, log } = dependencies;
  removeStaleLinks(dataDirectory);
  const known = new Set<string>();
  const cells = new Map<string, boolean>();
  const hasCells = (template: string) => backend.capabilities.hostsCells && cells.get(template);

  const open = async (id: string, template: Template, limits: SandboxLimits): Promise<Instance> => {
    known.add(id);
    try {
      return { id, template, limits, link: await openLink(dataDirectory, id, backend, streams) };
    } catch (error) {
      known.delete(id);
      throw error;
    }
  };

  const ready = async ({ link, template }: Instance, signal: AbortSignal): Promise<void> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(READY_DEADLINE_MS)]);
    const late = new Promise<never>((_, reject) =>
      limit.addEventListener('abort', () => reject(notReady(template.id)), { once: true }),
    );
    await Promise.race([link.connected, late]);
    await link.control.ping({}, { signal: limit });
  };

  /** Believed for the same reason as what it says of cells, below. */
  const proveIsolated = async ({ id, link, template }: Instance, signal: AbortSignal): Promise<void> => {
    const addresses = backend.outOfReach(id);
    if (addresses.length === 0) return;
    const end = Date.now() + ISOLATED_MS;
    for (;;) {
      const request = { addresses, wallNanoseconds: PROBE_MS * 1e6 };
      const { reached } = await link.control.probeNetwork(request, { signal, deadlineMs: READY_DEADLINE_MS });
      if (reached.length === 0) return;
      if (Date.now() > end) throw notIsolated(template.id, reached);
    }
  };

  /** Nobody's program has run there yet, so that what the agent says of itself can be believed. */
  const prepareCell = async ({ link, template }: Instance, signal: AbortSignal): Promise<void> => {
    try {
      await link.cells.prepare({}, { signal, deadlineMs: READY_DEADLINE_MS });
      cells.set(template.id, true);
    } catch (error) {
      if (!hasReason(error, 'NOT_IMPLEMENTED')) throw error;
      cells.set(template.id, false);
      log.warn({ err: error, template: template.id }, 'template can have no cells');
      throw noCells(template.id);
    }
  };

  const destroy = async (instance: Instance): Promise<void> => {
    await instance.link[Symbol.asyncDispose]();
    await backend.destroy(instance.id);
    known.delete(instance.id);
  };

  const release = async (instance: Instance): Promise<void> => {
    known.delete(instance.id);
    await instance.link[Symbol.asyncDispose]();
  };

  const abandon = (instance: Instance): Promise<void> =>
    destroy(instance).catch((error) => {
      known.delete(instance.id);
      log.warn({ err: error, instanceId: instance.id }, 'not destroyed yet');
    });

  return {
    async create({ template, limits, purpose, tenant }, signal) {
      if (purpose === 'cells' && hasCells(template.id) === false) throw noCells(template.id);
      const end = starts.startTimer({ template: template.id });
      const instance = await open(newId('ins'), template, limits);
      try {
        await backend.create(
          {
            instanceId: instance.id,
            purpose,
            tenant,
            template: template.id,
            image: template.image,
            limits,
            writableRoot: template.writableRoot,
            runtime: template.runtime,
          },
          signal,
        );
        await ready(instance, signal);
        await proveIsolated(instance, signal);
        if (purpose === 'cells') await prepareCell(instance, signal);
        end();
        return instance;
      } catch (error) {
        await abandon(instance);
        throw error;
      }
    },
    hasCells,
    async adopt(instanceId, template, limits) {
      const instance = await open(instanceId, template, limits);
      await ready(instance, AbortSignal.timeout(READY_DEADLINE_MS)).catch((error) =>
        log.warn({ err: error, instanceId }, 'agent of a sandbox that was taken over does not answer yet'),
      );
      return instance;
    },
    destroy,
    abandon,
    release,
    destroyUnknown: (instanceId) => backend.destroy(instanceId),
    known: () => new Set(known),
  };
}

function notReady(template: string): DrydockError {
  return new DrydockError('SANDBOX_START_FAILED', `template ${template}: the sandbox did not become ready in time`);
}

function notIsolated(template: string, reached: string[]): DrydockError {
  const what = `its sandbox reaches ${reached.join(', ')}`;
  return new DrydockError('SANDBOX_START_FAILED', `template ${template}: network policies are not enforced: ${what}`);
}

function noCells(template: string): DrydockError {
  return new DrydockError('NOT_IMPLEMENTED', `template ${template} can have no cells here; use isolation SANDBOX`);
}
