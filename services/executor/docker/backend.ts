import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Docker from 'dockerode';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { Backend, EndedReason, InstancePlan } from '../backend.ts';
import { type ControlGroup, openControlGroup } from './cgroup.ts';
import { containerFor, EXECUTOR_LABEL, type HostFiles, INSTANCE_LABEL, nameOf, TEMPLATE_LABEL, updateFor } from './container.ts';

const RECONNECT_MS = 500;
const HOSTS = '127.0.0.1 localhost sandbox\n::1 localhost sandbox\n';

export type DockerOptions = {
  socket: string;
  executorId: string;
  dataDirectory: string;
  agentBinary: string;
  seccompProfile: string;
  log: Logger;
};

/** Instances as containers of one Docker engine on this host. */
export function createDockerBackend(options: DockerOptions): Backend {
  const { executorId, log } = options;
  const docker = new Docker({ socketPath: options.socket });
  const host = prepareHostFiles(options);
  const groups = new Map<string, ControlGroup | undefined>();
  const filters = JSON.stringify({ label: [`${EXECUTOR_LABEL}=${executorId}`] });

  const groupOf = async (instanceId: string): Promise<ControlGroup | undefined> => {
    if (!groups.has(instanceId)) {
      const { State } = await docker.getContainer(nameOf(instanceId)).inspect();
      groups.set(instanceId, await openControlGroup(State.Pid));
    }
    return groups.get(instanceId);
  };

  const destroy = async (instanceId: string): Promise<void> => {
    groups.delete(instanceId);
    await docker
      .getContainer(nameOf(instanceId))
      .remove({ force: true, v: true })
      .catch((error) => {
        // 404: there is none. 409: another call is removing it.
        if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
      });
  };

  const listAll = async () => docker.listContainers({ all: true, filters });

  return {
    async create(plan, signal) {
      try {
        const container = await docker.createContainer({
          ...containerFor(plan, executorId, host),
          abortSignal: signal,
        });
        await container.start({ abortSignal: signal });
        await groupOf(plan.instanceId);
      } catch (error) {
        await destroy(plan.instanceId).catch((cause) => log.warn({ err: cause }, 'failed container not removed yet'));
        throw startFailed(plan, error);
      }
    },
    destroy,
    async list() {
      const running = await docker.listContainers({ filters });
      return running.map(({ Labels }) => ({
        instanceId: Labels[INSTANCE_LABEL] ?? '',
        template: Labels[TEMPLATE_LABEL] ?? '',
      }));
    },
    listAll: async () => (await listAll()).map(({ Labels }) => Labels[INSTANCE_LABEL] ?? ''),
    async setLimits(instanceId, limits) {
      const group = await groupOf(instanceId);
      if (group) await group.setLimits(limits);
      else await docker.getContainer(nameOf(instanceId)).update(updateFor(limits));
    },
    async resetPeakMemory(instanceId) {
      await (await groupOf(instanceId))?.resetPeakMemory();
    },
    watch: (onEnded) => watchEngine(docker, filters, log, onEnded),
    ping: async () => void (await docker.ping()),
  };
}

function prepareHostFiles({ dataDirectory, agentBinary, seccompProfile }: DockerOptions): HostFiles {
  const hostsFile = join(dataDirectory, 'hosts');
  writeFileSync(hostsFile, HOSTS, { mode: 0o644 });
  // The engine's API wants the profile itself, on one line.
  const profile = JSON.stringify(JSON.parse(readFileSync(seccompProfile, 'utf8')));
  return { agentBinary, hostsFile, seccompProfile: profile };
}

function startFailed({ image, template }: InstancePlan, cause: unknown): unknown {
  if ((cause as Error).name === 'AbortError') return cause;
  const { statusCode } = cause as { statusCode?: number };
  const why = statusCode === 404 ? `the engine has no image ${image}` : 'the engine could not start a container';
  return new DrydockError('SANDBOX_START_FAILED', `template ${template}: ${why}`, { cause, retryAfterMs: 1_000 });
}

/** Follows the engine's events, again after every interruption; what ended meanwhile is reconciliation's to find. */
function watchEngine(
  docker: Docker,
  filters: string,
  log: Logger,
  onEnded: (instanceId: string, reason: EndedReason) => void,
): AsyncDisposable {
  const stop = new AbortController();
  const outOfMemory = new Set<string>();
  const handle = ({ Action = '', Actor }: EngineEvent) => {
    const instanceId = Actor?.Attributes?.[INSTANCE_LABEL];
    if (!instanceId) return;
    if (Action === 'oom') outOfMemory.add(instanceId);
    if (Action === 'die') onEnded(instanceId, outOfMemory.delete(instanceId) ? 'OUT_OF_MEMORY' : 'EXITED');
    if (Action === 'destroy') outOfMemory.delete(instanceId);
  };
  const loop = async () => {
    const types = { ...JSON.parse(filters), type: ['container'], event: ['die', 'oom', 'destroy'] };
    while (!stop.signal.aborted) {
      try {
        const events = await docker.getEvents({ filters: types, abortSignal: stop.signal });
        for await (const line of linesOf(events)) handle(JSON.parse(line));
      } catch (error) {
        if (!stop.signal.aborted) log.warn({ err: error }, 'engine events interrupted');
      }
      if (!stop.signal.aborted) await pause(RECONNECT_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  const ended = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

type EngineEvent = { Action?: string; Actor?: { Attributes?: Record<string, string> } };

async function* linesOf(stream: NodeJS.ReadableStream): AsyncIterable<string> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter(Boolean);
  }
}
