import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
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
  /** The program that creates cells, and its seccomp profile. */
  cellBinary: string;
  cellSeccompProfile: string;
  log: Logger;
};

type Engine = {
  docker: Docker;
  dataDirectory: string;
  /** Control groups by instance; undefined if this host cannot reach the files of one. */
  groups: Map<string, ControlGroup | undefined>;
  log: Logger;
};

/** Instances as containers of one Docker engine on this host. */
export function createDockerBackend(options: DockerOptions): Backend {
  const { executorId, dataDirectory, log } = options;
  const docker = new Docker({ socketPath: options.socket });
  const engine: Engine = { docker, dataDirectory, groups: new Map(), log };
  const host = prepareHostFiles(options);
  const label = `${EXECUTOR_LABEL}=${executorId}`;
  let appArmor: boolean | undefined;
  return {
    capabilities: { hostsCells: true, changesLimits: true, measuresPeak: true, isOneHost: true },
    async link(instanceId, accept) {
      const directory = linkDirectoryOf(engine, instanceId);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      return listen(join(directory, SOCKET_NAME), accept);
    },
    async create(plan, signal) {
      const linkDirectory = linkDirectoryOf(engine, plan.instanceId);
      try {
        appArmor ??= await hasAppArmor(docker);
        const spec = containerFor(plan, executorId, { ...host, linkDirectory }, appArmor);
        const container = await docker.createContainer({ ...spec, abortSignal: signal });
        await container.start({ abortSignal: signal });
        await groupOf(engine, plan.instanceId);
      } catch (error) {
        await destroy(engine, plan.instanceId).catch((cause) =>
          log.warn({ err: cause }, 'failed to remove a container that did not start'),
        );
        throw startFailed(plan, error);
      }
    },
    destroy: (instanceId) => destroy(engine, instanceId),
    async list() {
      const containers = await docker.listContainers({ all: true, filters: JSON.stringify({ label: [label] }) });
      return containers.map(({ Labels, State }) => ({
        instanceId: Labels[INSTANCE_LABEL] ?? '',
        running: State === 'running' || State === 'paused',
      }));
    },
    setLimits: (instanceId, limits) => setLimits(engine, instanceId, limits),
    measurePeak: async (instanceId) => (await groupOf(engine, instanceId))?.measurePeak(),
    watch: (watcher) => watchEngine(docker, label, log, watcher),
    ping: async () => void (await docker.ping()),
    async [Symbol.asyncDispose]() {},
  };
}

/** Whether the engine confines containers with AppArmor, whose profile forbids every mount. */
async function hasAppArmor(docker: Docker): Promise<boolean> {
  return (await docker.info()).SecurityOptions.some((option: string) => option.includes('apparmor'));
}

async function groupOf({ docker, groups }: Engine, instanceId: string): Promise<ControlGroup | undefined> {
  if (!groups.has(instanceId)) {
    const { State } = await docker.getContainer(nameOf(instanceId)).inspect();
    groups.set(instanceId, await openControlGroup(State.Pid));
  }
  return groups.get(instanceId);
}

async function destroy(engine: Engine, instanceId: string): Promise<void> {
  engine.groups.delete(instanceId);
  await engine.docker
    .getContainer(nameOf(instanceId))
    .remove({ force: true, v: true })
    .catch((error) => {
      // 404: there is none. 409: another call is removing it.
      if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
    });
  // Last, because the container mounts it.
  await rm(linkDirectoryOf(engine, instanceId), { recursive: true, force: true });
}

async function setLimits(engine: Engine, instanceId: string, limits: SandboxLimits): Promise<boolean> {
  const group = await groupOf(engine, instanceId);
  try {
    if (group) await group.setLimits(limits);
    if (group) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    engine.log.debug({ err: error, instanceId }, 'limits left to the engine');
  }
  await engine.docker.getContainer(nameOf(instanceId)).update(updateFor(limits));
  return true;
}

const linkDirectoryOf = ({ dataDirectory }: Engine, instanceId: string) => join(dataDirectory, 'links', instanceId);

function prepareHostFiles(options: DockerOptions): Omit<HostFiles, 'linkDirectory'> {
  const { dataDirectory, agentBinary, cellBinary } = options;
  const hostsFile = join(dataDirectory, 'hosts');
  writeFileSync(hostsFile, HOSTS, { mode: 0o644 });
  // The engine's API takes the profile itself, on one line.
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
