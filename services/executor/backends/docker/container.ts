import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { type InstancePlan, SEARCH_PATH } from '../backend.ts';
import { fileSystemSizes } from '../file-systems.ts';

/** Labels by which an executor finds its containers. */
export const EXECUTOR_LABEL = 'drydock.executor';
export const INSTANCE_LABEL = 'drydock.instance';
export const TEMPLATE_LABEL = 'drydock.template';
/** Its user on this host; the owner of what the agent makes for it has the next id. */
export const USER_LABEL = 'drydock.user';

/** Paths of the agent and its socket inside. */
const AGENT_PATH = '/run/drydock/agent';
const LINK_PATH = '/run/drydock/link';
const CELL_PATH = '/run/drydock/cell';
/** Name of the socket that the agent dials, in the directory mounted at LINK_PATH. */
export const SOCKET_NAME = 'agent.sock';

// The agent's threads count in the same limit as the programs' processes.
export const AGENT_PROCESSES = 16;
const OPEN_FILES = 4096;

export type HostFiles = {
  agentBinary: string;
  cellBinary: string;
  hostsFile: string;
  /** Directory of the agent's socket, one for each instance. */
  linkDirectory: string;
  /** `/etc/passwd` and `/etc/group` of a sandbox. */
  passwdFile: string;
  groupFile: string;
  /** Profiles as JSON. */
  seccompProfile: string;
  cellSeccompProfile: string;
};

export type Placement = {
  executorId: string;
  /** On this host; no other instance has it or the next id. */
  user: number;
  host: HostFiles;
  /** The engine confines containers with AppArmor. */
  hasAppArmor: boolean;
};

/** A hardened container for the engine's API. A test asserts everything here on a real container. */
// Over 70 lines: one table of plain data, as the API takes it.
export function containerFor(plan: InstancePlan, placement: Placement): ContainerCreateOptions {
  const { executorId, user, host, hasAppArmor } = placement;
  const { limits } = plan;
  const sizes = fileSystemSizes(limits);
  return {
    name: nameOf(plan.instanceId),
    Image: plan.image,
    Entrypoint: [AGENT_PATH, 'serve', `${LINK_PATH}/${SOCKET_NAME}`, String(user), String(user + 1)],
    Cmd: [],
    Env: [`PATH=${SEARCH_PATH}`],
    Hostname: 'sandbox',
    // The agent is root inside, with three capabilities. Its processes have another user and no capabilities.
    User: '0:0',
    WorkingDir: '/',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    OpenStdin: false,
    // An own, empty network namespace, without the engine's 100 ms of network set-up.
    NetworkDisabled: true,
    Labels: {
      [EXECUTOR_LABEL]: executorId,
      [INSTANCE_LABEL]: plan.instanceId,
      [TEMPLATE_LABEL]: plan.template,
      [USER_LABEL]: String(user),
    },
    HostConfig: {
      ...(plan.runtime ? { Runtime: plan.runtime } : {}),
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      NanoCpus: Math.round(limits.cpus * 1e9),
      PidsLimit: limits.processes + AGENT_PROCESSES,
      CapDrop: ['ALL'],
      CapAdd: ['SETUID', 'SETGID', 'KILL'],
      ...confinementFor(plan, host, hasAppArmor),
      Privileged: false,
      ReadonlyRootfs: !plan.writableRoot,
      Binds: [
        `${host.agentBinary}:${AGENT_PATH}:ro`,
        `${host.linkDirectory}:${LINK_PATH}:ro`,
        `${host.hostsFile}:/etc/hosts:ro`,
        ...(plan.purpose === 'cells' ? [`${host.cellBinary}:${CELL_PATH}:ro`] : accountsFrom(host)),
      ],
      Tmpfs: {
        '/home/user': `rw,nosuid,nodev,uid=${user},gid=${user},mode=0755,exec,size=${sizes.home}`,
        '/tmp': `rw,nosuid,nodev,exec,mode=1777,size=${sizes.tmp}`,
      },
      ShmSize: sizes.shm,
      IpcMode: 'private',
      Ulimits: [
        { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
    },
  };
}

/** Cells need none: there programs have the id that their image names `user`. */
function accountsFrom({ passwdFile, groupFile }: HostFiles): string[] {
  return [`${passwdFile}:/etc/passwd:ro`, `${groupFile}:/etc/group:ro`];
}

/**
 * To create cells the agent needs namespaces, mounts, and an unmasked `/proc`. So programs of a tenant run there only in cells,
 * which mask the same paths again and have a seccomp profile of their own.
 */
function confinementFor({ purpose }: InstancePlan, host: HostFiles, hasAppArmor: boolean): HostConfig {
  if (purpose === 'sandbox') return { SecurityOpt: ['no-new-privileges', `seccomp=${host.seccompProfile}`] };
  return {
    SecurityOpt: [
      'no-new-privileges',
      `seccomp=${host.cellSeccompProfile}`,
      ...(hasAppArmor ? ['apparmor=unconfined'] : []),
    ],
    MaskedPaths: [],
    ReadonlyPaths: [],
  };
}

/** The container's name at the engine. */
export function nameOf(instanceId: string): string {
  return `drydock-${instanceId}`;
}

/** Limits for the engine's update call. */
export function updateFor({ memoryBytes, processes, cpus }: SandboxLimits) {
  return {
    Memory: memoryBytes,
    MemorySwap: memoryBytes,
    NanoCpus: Math.round(cpus * 1e9),
    PidsLimit: processes + AGENT_PROCESSES,
  };
}
