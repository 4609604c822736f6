import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { UserIds } from '#libs/user-ids.ts';
import type { Backend, InstancePlan } from '../backend.ts';
import { listen } from '../unix-socket.ts';
import { accountsOf } from '../user-ids.ts';
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
import { type InstanceUsers, openInstanceUsers } from './instance-users.ts';
import { lockUserIds } from './lock-user-ids.ts';

const HOSTS = '127.0.0.1 localhost sandbox\n::1 localhost sandbox\n';

export type DockerOptions = {
  socket: string;
  executorId: string;
  dataDirectory: string;
  /** Of this host, and of this executor alone. */
  userIds: UserIds;
  /** The most instances at one time. */
  maxInstances: number;
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
  /** Digests of images by instance. */
  images: Map<string, string>;
  users: InstanceUsers;
  /** Instances whose containers may not exist yet. */
  creating: Set<string>;
  log: Logger;
};

/** Instances as containers of one Docker engine on this host. Throws if the ids of users cannot be this executor's alone. */
export async function openDockerBackend(options: DockerOptions): Promise<Backend> {
  const { executorId, dataDirectory, log } = options;
  const docker = new Docker({ socketPath: options.socket });
  await using opened = new AsyncDisposableStack();
  opened.use(await lockUserIds(options.userIds));
  const users = await openInstanceUsers(docker, options);
  const engine: Engine = {
    docker,
    dataDirectory,
    groups: new Map(),
    images: new Map(),
    users,
    creating: new Set(),
    log,
  };
  const host = prepareHostFiles(options);
  const label = `${EXECUTOR_LABEL}=${executorId}`;
  let appArmor: boolean | undefined;
  const held = opened.move();
  return {
    capabilities: { hostsCells: true, changesLimits: true, measuresPeak: true, isOneHost: true },
    async link(instanceId, accept) {
      const directory = linkDirectoryOf(engine, instanceId);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      return listen(join(directory, SOCKET_NAME), accept);
    },
    async create(plan, signal) {
      const user = users.take(plan.instanceId);
      engine.creating.add(plan.instanceId);
      try {
        appArmor ??= await hasAppArmor(docker);
        const own = await writeOwnFiles(engine, plan, user);
        const spec = containerFor(plan, { executorId, user, host: { ...host, ...own }, hasAppArmor: appArmor });
        const container = await docker.createContainer({ ...spec, abortSignal: signal });
        await container.start({ abortSignal: signal });
        await groupOf(engine, plan.instanceId);
      } catch (error) {
        await destroy(engine, plan.instanceId).catch((cause) =>
          log.warn({ err: cause }, 'failed to remove a container that did not start'),
        );
        throw startFailed(plan, error);
      } finally {
        engine.creating.delete(plan.instanceId);
      }
    },
    destroy: (instanceId) => destroy(engine, instanceId),
    list: () => list(engine, label),
    setLimits: (instanceId, limits) => setLimits(engine, instanceId, limits),
    measurePeak: async (instanceId) => (await groupOf(engine, instanceId))?.measurePeak(),
    async imageOf(instanceId) {
      await groupOf(engine, instanceId);
      return engine.images.get(instanceId);
    },
    watch: (watcher) => watchEngine(docker, label, log, watcher),
    ping: async () => void (await docker.ping()),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Whether the engine confines containers with AppArmor, whose profile forbids every mount. */
async function hasAppArmor(docker: Docker): Promise<boolean> {
  return (await docker.info()).SecurityOptions.some((option: string) => option.includes('apparmor'));
}

async function groupOf({ docker, groups, images }: Engine, instanceId: string): Promise<ControlGroup | undefined> {
  if (!groups.has(instanceId)) {
    const { State, Image } = await docker.getContainer(nameOf(instanceId)).inspect();
    images.set(instanceId, Image);
    groups.set(instanceId, await openControlGroup(State.Pid));
  }
  return groups.get(instanceId);
}

async function destroy(engine: Engine, instanceId: string): Promise<void> {
  engine.groups.delete(instanceId);
  engine.images.delete(instanceId);
  const isRemoved = await engine.docker
    .getContainer(nameOf(instanceId))
    .remove({ force: true, v: true })
    .then(
      () => true,
      (error) => {
        // 404: there is none. 409: another call is removing it.
        if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
        return error.statusCode === 404;
      },
    );
  // Last, because the container mounts it.
  await rm(linkDirectoryOf(engine, instanceId), { recursive: true, force: true });
  if (isRemoved) engine.users.free(instanceId);
}

/** Every container of this executor. Frees the users of those that somebody else has removed. */
async function list({ docker, users, creating }: Engine, label: string) {
  const before = users.holders().filter((instanceId) => !creating.has(instanceId));
  const containers = await docker.listContainers({ all: true, filters: JSON.stringify({ label: [label] }) });
  const listed = containers.map(({ Labels, State }) => ({
    instanceId: Labels[INSTANCE_LABEL] ?? '',
    running: State === 'running' || State === 'paused',
  }));
  const existing = new Set(listed.map(({ instanceId }) => instanceId));
  for (const instanceId of before) if (!existing.has(instanceId)) users.free(instanceId);
  return listed;
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

/** Files of one instance, beside the socket that its agent dials. */
async function writeOwnFiles(engine: Engine, { instanceId, purpose }: InstancePlan, user: number) {
  const linkDirectory = linkDirectoryOf(engine, instanceId);
  const [passwdFile, groupFile] = [join(linkDirectory, 'passwd'), join(linkDirectory, 'group')];
  const { passwd, group } = accountsOf(user);
  if (purpose === 'sandbox')
    await Promise.all([writeFile(passwdFile, passwd, { mode: 0o644 }), writeFile(groupFile, group, { mode: 0o644 })]);
  return { linkDirectory, passwdFile, groupFile };
}

const linkDirectoryOf = ({ dataDirectory }: Engine, instanceId: string) => join(dataDirectory, 'links', instanceId);

function prepareHostFiles(options: DockerOptions): Omit<HostFiles, 'linkDirectory' | 'passwdFile' | 'groupFile'> {
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
