import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { Backend, InstancePlan } from '../backend.ts';
import { listen } from '../unix-socket.ts';
import { type ControlGroup, openControlGroup } from './cgroup.ts';
import {
  containerFor,
  EXECUTOR_LABEL,
  type HostFiles,
  INSTANCE_LABEL,
  nameOf,
  SOCKET_NAME,
  updateFor,
} from './container.ts';
import { watchEngine } from './events.ts';

const HOSTS = '127.0.0.1 localhost sandbox\n::1 localhost sandbox\n';

export type DockerOptions = {
  socket: string;
  executorId: string;
  dataDirectory: string;
  agentBinary: string;
  seccompProfile: string;
  /** What makes cells, and the filter under which it may. */
  cellBinary: string;
  cellSeccompProfile: string;
  log: Logger;
};

/** Instances as containers of one Docker engine on this host. */
export function createDockerBackend(options: DockerOptions): Backend {
  const { executorId, dataDirectory, log } = options;
  const docker = new Docker({ socketPath: options.socket });
  const host = prepareHostFiles(options);
  const groups = new Map<string, ControlGroup | undefined>();
  const label = `${EXECUTOR_LABEL}=${executorId}`;
  const linkDirectoryOf = (instanceId: string) => join(dataDirectory, 'links', instanceId);
  let appArmor: boolean | undefined;

  /** Whether the engine confines containers with AppArmor, whose profile forbids every mount. */
  const hasAppArmor = async (): Promise<boolean> =>
    (appArmor ??= (await docker.info()).SecurityOptions.some((option: string) => option.includes('apparmor')));

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
    // Last: it is mounted there.
    await rm(linkDirectoryOf(instanceId), { recursive: true, force: true });
  };

  return {
    capabilities: { hostsCells: true, changesLimits: true, measuresPeak: true, isOneHost: true },
    cluster: '',
    async reach(instanceId, accept) {
      const directory = linkDirectoryOf(instanceId);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      return listen(join(directory, SOCKET_NAME), accept);
    },
    async create(plan, signal) {
      try {
        const container = await docker.createContainer({
          ...containerFor(
            plan,
            executorId,
            { ...host, linkDirectory: linkDirectoryOf(plan.instanceId) },
            await hasAppArmor(),
          ),
          abortSignal: signal,
        });
        await container.start({ abortSignal: signal });
        await groupOf(plan.instanceId);
      } catch (error) {
        await destroy(plan.instanceId).catch((cause) => log.warn({ err: cause }, 'failed container not removed yet'));
        throw startFailed(plan, error);
      }
    },
    outOfReach: () => [],
    destroy,
    async list() {
      const containers = await docker.listContainers({ all: true, filters: JSON.stringify({ label: [label] }) });
      return containers.map(({ Labels, State }) => ({
        instanceId: Labels[INSTANCE_LABEL] ?? '',
        running: State === 'running' || State === 'paused',
      }));
    },
    // Labels of a container stay what they were when it was made.
    note() {},
    inherit: async () => [],
    // Containers know no organisations.
    async forget() {},
    async setLimits(instanceId, limits) {
      const group = await groupOf(instanceId);
      try {
        if (group) await group.setLimits(limits);
        if (group) return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
        log.debug({ err: error, instanceId }, 'limits left to the engine');
      }
      await docker.getContainer(nameOf(instanceId)).update(updateFor(limits));
      return true;
    },
    measurePeak: async (instanceId) => (await groupOf(instanceId))?.measurePeak(),
    watch: (watcher) => watchEngine(docker, label, log, watcher),
    ping: async () => void (await docker.ping()),
    async [Symbol.asyncDispose]() {},
  };
}

function prepareHostFiles(options: DockerOptions): Omit<HostFiles, 'linkDirectory'> {
  const { dataDirectory, agentBinary, cellBinary } = options;
  const hostsFile = join(dataDirectory, 'hosts');
  writeFileSync(hostsFile, HOSTS, { mode: 0o644 });
  // The engine's API wants the profile itself, on one line.
  const profileIn = (file: string) => JSON.stringify(JSON.parse(readFileSync(file, 'utf8')));
  return {
    agentBinary,
    cellBinary,
    hostsFile,
    seccompProfile: profileIn(options.seccompProfile),
    cellSeccompProfile: profileIn(options.cellSeccompProfile),
  };
}

function startFailed({ image, template }: InstancePlan, cause: unknown): unknown {
  if ((cause as Error).name === 'AbortError') return cause;
  const { statusCode } = cause as { statusCode?: number };
  const why = statusCode === 404 ? `the engine has no image ${image}` : 'the engine could not start a container';
  return new DrydockError('SANDBOX_START_FAILED', `template ${template}: ${why}`, { cause, retryAfterMs: 1_000 });
}
