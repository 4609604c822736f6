import type { CoreV1Api, V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { POOL_NAMESPACE } from '../integration/executor/cluster.ts';
import { LIMITS, MiB, python, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { connectCluster } from '../support/cluster.ts';

const ECONNREFUSED = 111;
const WITHIN = { timeout: 30_000, interval: 100 };

let api: CoreV1Api;
let executor: TestExecutor;
let sandboxId: string;
let pods: V1Pod[];

beforeAll(async () => {
  api = connectCluster().core;
  executor = await startExecutor({ pool: { floor: 1, ceiling: 1 }, environment: { KUBERNETES_CPU_OVERCOMMIT: '1' } });
  sandboxId = await executor.sandbox();
  const labelSelector = `drydock.dev/executor=${executor.id}`;
  const list = async () => (await api.listPodForAllNamespaces({ labelSelector })).items;
  await vi.waitUntil(async () => (await list()).filter(({ status }) => status?.podIP).length === 2, WITHIN);
  pods = await list();
});

afterAll(() => executor[Symbol.asyncDispose]());

const inside = async (source: string) => {
  const { stdout, stderr } = await executor.command(sandboxId, python(source));
  expect(stderr).toBe('');
  return stdout.trim();
};

test('the namespace lets in only restricted pods, and no traffic', async () => {
  const { metadata } = await api.readNamespace({ name: POOL_NAMESPACE });
  expect(metadata?.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  const plain = { metadata: { name: 'plain' }, spec: { containers: [{ name: 'plain', image: 'any' }] } };
  await expect(api.createNamespacedPod({ namespace: POOL_NAMESPACE, body: plain })).rejects.toThrow(/PodSecurity/);
});

test('the cluster was asked for a hardened pod', () => {
  const spec = pods[0]!.spec!;
  expect(spec).toMatchObject({
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    restartPolicy: 'Never',
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  });
  const users = pods.map(({ spec }) => [spec!.securityContext!.runAsUser!, spec!.securityContext!.runAsGroup!]);
  expect(users[0]![0]).toBeGreaterThan(65_535);
  expect(users.map(([, group]) => group)).toEqual(users.map(([user]) => user));
  expect(new Set(users.map(([user]) => user)).size).toBe(pods.length);
  expect([spec.hostNetwork, spec.hostPID, spec.hostIPC]).toEqual([undefined, undefined, undefined]);
  for (const { securityContext, resources } of [...spec.containers, ...spec.initContainers!]) {
    expect(securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    });
    expect(resources!.limits).toMatchObject({ cpu: '1', memory: String(LIMITS.memoryBytes) });
    expect(resources!.limits).toHaveProperty('ephemeral-storage');
    expect(resources!.requests).toEqual(resources!.limits);
  }
  const [accounts, ...others] = spec.volumes!.filter(({ emptyDir }) => !emptyDir?.sizeLimit);
  expect([accounts?.downwardAPI?.items?.map(({ path }) => path), others]).toEqual([['passwd', 'group'], []]);
});

test('a program has no rights', async () => {
  const status = await inside('print(open("/proc/self/status").read())');
  expect(status).toMatch(/^Uid:\t(2\d{9})(\t\1){3}\nGid:(\t\1){4}$/m);
  expect(await inside('import os, pwd; print(pwd.getpwuid(os.getuid()).pw_name)')).toBe('user');
  expect(status).toMatch(/^Cap(Inh|Prm|Eff|Bnd|Amb):\t0000000000000000$/m);
  expect(status.match(/^Cap\w+:\t0+$/gm)).toHaveLength(5);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Seccomp:\t2$/m);
});

test('it finds nothing of the cluster in its environment and its files', async () => {
  expect(await inside('import os; print([n for n in os.environ if "KUBE" in n or "SERVICE" in n])')).toBe('[]');
  expect(await inside('import os; print(os.path.exists("/var/run/secrets/kubernetes.io"))')).toBe('False');
  expect(await inside('print(open("/etc/resolv.conf").read())')).toBe('nameserver 127.0.0.1');
});

test('it reaches neither the API server, nor its node, nor another pod, nor the metadata of a cloud', async () => {
  const service = (await api.readNamespacedService({ namespace: 'default', name: 'kubernetes' })).spec!;
  const addresses = [
    [service.clusterIP, 443],
    [pods[0]!.status!.hostIP, 10250],
    [pods[0]!.status!.hostIP, 22],
    ...pods.map(({ status }) => [status!.podIP, 80]),
    ['169.254.169.254', 80],
  ];
  const tried = `
import socket
for address in ${JSON.stringify(addresses)}:
    s = socket.socket(); s.settimeout(0.5)
    print(s.connect_ex(tuple(address)))`;
  const codes = (await inside(tried)).split('\n').map(Number);
  expect(codes).toHaveLength(addresses.length);
  // Its own address is one of those, and refuses: nobody listens there. Another that packets reached would do so, too.
  expect(codes.filter((code) => code === 0 || code === ECONNREFUSED)).toEqual([ECONNREFUSED]);
});

test('it can write where it should and nowhere else, and no more than it may', async () => {
  const written = `
import os, errno
for path in ("/", "/etc", "/usr", "/run/drydock", "/home/user", "/tmp", "/dev/shm"):
    try: open(path + "/x", "w").write("x"); os.remove(path + "/x"); print(path)
    except OSError as e: assert e.errno in (errno.EROFS, errno.EACCES), (path, e)`;
  expect((await inside(written)).split('\n')).toEqual(['/home/user', '/tmp', '/dev/shm']);
  const flood = `
import errno
try:
    with open("/tmp/flood", "wb") as f:
        for _ in range(${LIMITS.diskBytes / MiB + 1}): f.write(bytes(1 << 20))
    print("all of it")
except OSError as e: print(errno.errorcode[e.errno])`;
  expect(await inside(flood)).toBe('ENOSPC');
});

test('it can read and trace neither the agent nor the stream that leads to it', async () => {
  const attack = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
me = os.getpid()
for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
    if pid == me: continue
    command = open(f"/proc/{pid}/cmdline").read().split("\\0")
    verb = command[1] if len(command) > 1 else "?"
    opened = []
    for name in ("mem", "environ", "maps", "exe"):
        try: (os.readlink if name == "exe" else open)(f"/proc/{pid}/{name}"); opened.append(name)
        except OSError: pass
    print(verb, opened, libc.ptrace(16, pid, 0, 0))
try: open("/run/drydock/agent", "rb"); print("read")
except OSError: pass`;
  expect((await inside(attack)).split('\n').toSorted()).toEqual(['connect [] -1', 'listen [] -1']);
});
