import type { V1Container, V1Pod, V1ResourceRequirements, V1Volume } from '@kubernetes/client-node';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { type InstancePlan, SEARCH_PATH } from '../backend.ts';
import { fileSystemSizes } from '../file-systems.ts';
import { accountsOf } from '../user-ids.ts';

/** Labels by which an executor finds its pods. */
export const EXECUTOR_LABEL = 'drydock.dev/executor';
export const INSTANCE_LABEL = 'drydock.dev/instance';
export const TEMPLATE_LABEL = 'drydock.dev/template';

/** Service account of every sandbox. It has no rights, and its token is not mounted. */
export const SERVICE_ACCOUNT = 'drydock-sandbox';
export const CONTAINER = 'sandbox';
const AGENT_DIRECTORY = '/run/drydock';
const AGENT_PATH = `${AGENT_DIRECTORY}/agent`;
// An abstract socket in the pod's own network namespace: it is in no file system that the sandbox can write to.
const AGENT_SOCKET = '@drydock-agent';
/** The command of an exec stream. */
export const CONNECT_COMMAND = [AGENT_PATH, 'connect', AGENT_SOCKET];

// Where a pod has a user namespace of its own, in which ids end at 65535.
const USER_INSIDE = 1000;
const PASSWD_ANNOTATION = 'drydock.dev/passwd';
const GROUP_ANNOTATION = 'drydock.dev/group';
const MiB = 1024 * 1024;
export const AGENT_VOLUME_BYTES = 64 * MiB;
// On SIGTERM the agent ends, with every process that it started.
const GRACE_SECONDS = 1;
// Pods on a lost node are deleted after this time; the default is 5 minutes.
const LOST_NODE_SECONDS = 5;

export type Placement = {
  namespace: string;
  executorId: string;
  /** Image that holds the agent as `/drydock-agent`. */
  agentImage: string;
  /** Ratio of the CPU limit to the CPU request. */
  cpuOvercommit: number;
  /** User and group of the pod on its node; null for one in a user namespace, whose ids the kubelet chooses. */
  user: number | null;
};

/** A hardened pod that passes Pod Security `restricted`. A test asserts everything here on a real pod. */
// Over 70 lines: one table of plain data, as the API takes it.
export function podFor(plan: InstancePlan, placement: Placement): V1Pod {
  const { namespace, executorId, agentImage, cpuOvercommit, user } = placement;
  const resources = resourcesFor(plan, cpuOvercommit);
  const container = {
    imagePullPolicy: 'IfNotPresent',
    resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    },
  } satisfies Partial<V1Container>;
  return {
    metadata: {
      name: nameOf(plan.instanceId),
      namespace,
      labels: {
        [EXECUTOR_LABEL]: executorId,
        [INSTANCE_LABEL]: plan.instanceId,
        [TEMPLATE_LABEL]: plan.template,
      },
      ...(user === null ? {} : { annotations: annotationsFor(user) }),
    },
    spec: {
      ...(plan.runtime ? { runtimeClassName: plan.runtime } : {}),
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: GRACE_SECONDS,
      serviceAccountName: SERVICE_ACCOUNT,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      hostname: 'sandbox',
      // No name resolves: the default would tell the sandbox the names of the cluster.
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['127.0.0.1'] },
      securityContext: {
        runAsNonRoot: true,
        runAsUser: user ?? USER_INSIDE,
        runAsGroup: user ?? USER_INSIDE,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...(user === null ? { hostUsers: false } : {}),
      tolerations: ['unreachable', 'not-ready'].map((taint) => ({
        key: `node.kubernetes.io/${taint}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: LOST_NODE_SECONDS,
      })),
      volumes: [...volumesFor(plan.limits), ...(user === null ? [] : [ACCOUNTS])],
      initContainers: [
        {
          ...container,
          name: 'agent',
          image: agentImage,
          command: ['/drydock-agent', 'install', AGENT_PATH],
          volumeMounts: [{ name: 'agent', mountPath: AGENT_DIRECTORY }],
        },
      ],
      containers: [
        {
          ...container,
          name: CONTAINER,
          image: plan.image,
          command: [AGENT_PATH, 'listen', AGENT_SOCKET],
          workingDir: '/',
          env: [{ name: 'PATH', value: SEARCH_PATH }],
          securityContext: { ...container.securityContext, readOnlyRootFilesystem: !plan.writableRoot },
          volumeMounts: [
            { name: 'agent', mountPath: AGENT_DIRECTORY, readOnly: true },
            { name: 'home', mountPath: '/home/user' },
            { name: 'tmp', mountPath: '/tmp' },
            { name: 'shm', mountPath: '/dev/shm' },
            ...(user === null ? [] : ACCOUNT_MOUNTS),
          ],
        },
      ],
    },
  };
}

/** The pod's name; Kubernetes allows no underscores. */
export function nameOf(instanceId: string): string {
  return `drydock-${instanceId.replaceAll('_', '-')}`;
}

/** The user of a pod that has one of its own; undefined for one in a user namespace. */
export function userOf({ spec }: V1Pod): number | undefined {
  return spec?.hostUsers === false ? undefined : spec?.securityContext?.runAsUser;
}

// Files that name the user, which `restricted` lets a pod have from its own annotations.
const ACCOUNTS: V1Volume = {
  name: 'accounts',
  downwardAPI: { items: [fileFrom('passwd', PASSWD_ANNOTATION), fileFrom('group', GROUP_ANNOTATION)] },
};
const ACCOUNT_MOUNTS = ['passwd', 'group'].map((name) => ({
  name: ACCOUNTS.name,
  mountPath: `/etc/${name}`,
  subPath: name,
  readOnly: true,
}));

function annotationsFor(user: number): Record<string, string> {
  const { passwd, group } = accountsOf(user);
  return { [PASSWD_ANNOTATION]: passwd, [GROUP_ANNOTATION]: group };
}

function fileFrom(path: string, annotation: string) {
  return { path, fieldRef: { fieldPath: `metadata.annotations['${annotation}']` } };
}

function volumesFor(limits: SandboxLimits): V1Volume[] {
  const { home, tmp, shm } = fileSystemSizes(limits);
  const inMemory = (name: string, bytes: number) => ({
    name,
    emptyDir: { medium: 'Memory', sizeLimit: String(bytes) },
  });
  return [
    { name: 'agent', emptyDir: { sizeLimit: String(AGENT_VOLUME_BYTES) } },
    inMemory('home', home),
    inMemory('tmp', tmp),
    inMemory('shm', shm),
  ];
}

/** Memory request and limit are equal, so that a node never overcommits memory. */
export function resourcesFor(
  { limits, writableRoot }: Pick<InstancePlan, 'limits' | 'writableRoot'>,
  cpuOvercommit: number,
): V1ResourceRequirements {
  const { memoryBytes, diskBytes, cpus } = limits;
  const cpu = (share: number) => `${Math.ceil(share * 1000)}m`;
  const others = {
    memory: String(memoryBytes),
    'ephemeral-storage': String(AGENT_VOLUME_BYTES + (writableRoot ? diskBytes : 0)),
  };
  return { limits: { ...others, cpu: cpu(cpus) }, requests: { ...others, cpu: cpu(cpus / cpuOvercommit) } };
}
