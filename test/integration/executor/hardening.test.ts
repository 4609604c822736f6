import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { engineSocket } from './backend-under-test.ts';
import { type Container, connectEngine } from './engine.ts';
import { LIMITS, MiB, python, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;
let sandboxId: string;
let container: Container;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 0, ceiling: 0 } });
  sandboxId = await executor.sandbox();
  const engine = connectEngine(engineSocket(), executor.id);
  container = await engine.inspect((await engine.list())[0]!);
});

afterAll(() => executor[Symbol.asyncDispose]());

const inside = async (source: string) => (await executor.command(sandboxId, python(source))).stdout.trim();

test('the engine was asked for a hardened container', () => {
  const { HostConfig, Config } = container;
  expect(HostConfig).toMatchObject({
    Privileged: false,
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    Memory: LIMITS.memoryBytes,
    MemorySwap: LIMITS.memoryBytes,
    NanoCpus: 1e9,
    IpcMode: 'private',
    LogConfig: { Type: 'none' },
    Devices: null,
    PortBindings: null,
    VolumesFrom: null,
    UsernsMode: '',
    UTSMode: '',
    PidMode: '',
  });
  expect(HostConfig.CapAdd.toSorted()).toEqual(['KILL', 'SETGID', 'SETUID']);
  expect(HostConfig.PidsLimit).toBeLessThanOrEqual(LIMITS.processes + 16);
  expect(HostConfig.Ulimits.map(({ Name, Hard }: { Name: string; Hard: number }) => [Name, Hard])).toEqual([
    ['nofile', 4096],
    ['core', 0],
  ]);
  expect(HostConfig.SecurityOpt[0]).toBe('no-new-privileges');
  expect(JSON.parse(HostConfig.SecurityOpt[1].slice('seccomp='.length))).toMatchObject({
    defaultAction: 'SCMP_ACT_ERRNO',
  });
  expect(HostConfig.MaskedPaths).toContain('/proc/kcore');
  expect(Config).toMatchObject({ NetworkDisabled: true, User: '0:0' });
  expect(Object.keys(Config.Labels).toSorted()).toEqual([
    'drydock.executor',
    'drydock.instance',
    'drydock.template',
    'drydock.user',
  ]);
});

test('of the host there are five mounts, none of which can be written or is the engine’s socket', () => {
  const binds = container.Mounts.filter(({ Type }) => Type === 'bind');
  expect(binds.map(({ Destination, RW }) => [Destination, RW]).toSorted()).toEqual([
    ['/etc/group', false],
    ['/etc/hosts', false],
    ['/etc/passwd', false],
    ['/run/drydock/agent', false],
    ['/run/drydock/link', false],
  ]);
  expect(binds.every(({ Source }) => !Source.endsWith('docker.sock'))).toBe(true);
});

test('file systems in memory are sized, and together smaller than the memory', async () => {
  const rows = await inside(
    `import os
for path in ("/home/user", "/tmp", "/dev/shm"):
  s = os.statvfs(path); print(path, s.f_blocks * s.f_frsize)`,
  );
  const sizes = new Map(rows.split('\n').map((row) => row.split(' ') as [string, string]));
  const total = [...sizes.values()].reduce((sum, size) => sum + Number(size), 0);
  expect([...sizes.keys()]).toEqual(['/home/user', '/tmp', '/dev/shm']);
  expect([sizes.get('/home/user'), sizes.get('/tmp')].map(Number)).toEqual([LIMITS.diskBytes, LIMITS.diskBytes]);
  expect(total).toBeLessThan(LIMITS.memoryBytes - 32 * MiB);
});

test('what can be written lets no device and no setuid file in, and the root is read-only', async () => {
  const mounts = (await inside('print(open("/proc/self/mounts").read())')).split('\n').map((line) => line.split(' '));
  const optionsOf = (path: string) => mounts.find((mount) => mount[1] === path)?.[3]?.split(',');
  for (const path of ['/home/user', '/tmp', '/dev/shm'])
    expect(optionsOf(path), path).toEqual(expect.arrayContaining(['rw', 'nosuid', 'nodev']));
  expect(optionsOf('/')).toContain('ro');
  const writable = await inside(`import os
print(*sorted(p for p in (m.split()[1] for m in open("/proc/self/mounts")) if os.path.isdir(p) and os.access(p, os.W_OK)))`);
  expect(writable).toBe('/dev/mqueue /dev/shm /home/user /tmp');
});

test('a program has its instance’s user, no capability, no new privileges, a filter and no core', async () => {
  const user = container.Config.Labels['drydock.user'];
  const status = await inside('print(open("/proc/self/status").read())');
  for (const set of ['Inh', 'Prm', 'Eff', 'Amb']) expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0{16}$`, 'm'));
  for (const kind of ['Uid', 'Gid']) expect(status).toMatch(new RegExp(`^${kind}:(\\s+${user}){4}$`, 'm'));
  expect(status).toMatch(/^Groups:\s*$/m);
  expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
  expect(status).toMatch(/^Seccomp:\s+2$/m);
  expect(await inside('print(open("/proc/self/limits").read())')).toMatch(/Max core file size\s+0\s+0/);
});

test('it is named `user`, whose home and files are its own', async () => {
  const user = Number(container.Config.Labels['drydock.user']);
  const names = `import getpass, grp, os, pwd
me = pwd.getpwuid(os.getuid()); home = os.stat("/home/user")
print(me.pw_name, me.pw_dir, grp.getgrgid(os.getgid()).gr_name, pwd.getpwnam("root").pw_uid, home.st_uid, home.st_gid)`;
  expect(await inside(names)).toBe(`user /home/user user 0 ${user} ${user}`);
  await executor.writeFile(sandboxId, 'written.txt', 'x');
  expect(await inside('import os; print(os.stat("written.txt").st_uid)')).toBe(`${user}`);
});

test('each instance has a user and an owner that no other has, and gets them back only when it is gone', async () => {
  const engine = connectEngine(engineSocket(), executor.id);
  const others = await Promise.all([executor.sandbox(), executor.sandbox()]);
  const users = async () => {
    const containers = await Promise.all((await engine.list()).map((instanceId) => engine.inspect(instanceId)));
    return containers.map(({ Config }) => [Number(Config.Labels['drydock.user']), ...Config.Entrypoint.slice(-2)]);
  };
  const before = await users();
  for (const [user, ...given] of before) expect(given).toEqual([`${user}`, `${Number(user) + 1}`]);
  expect(new Set(before.map(([user]) => user)).size).toBe(before.length);
  await executor.destroy(others[0]!);
  await executor.sandbox();
  expect(new Set((await users()).map(([user]) => user)).size).toBe(before.length);
});

test('it sees no network, no engine and nobody else', async () => {
  expect(await inside('import os; print(sorted(os.listdir("/sys/class/net")))')).toBe("['lo']");
  expect(
    await inside('import os; print([p for p in ("/var/run/docker.sock", "/run/docker.sock") if os.path.exists(p)])'),
  ).toBe('[]');
  const processes = await inside('import os; print(*[p for p in os.listdir("/proc") if p.isdigit()])');
  expect(processes.split(' ').length).toBe(2);
});

test.each([
  ['list the link', 'os.listdir("/run/drydock/link")'],
  ['reach the link', 'socket.socket(socket.AF_UNIX).connect("/run/drydock/link/agent.sock")'],
  ['replace the agent', 'open("/run/drydock/agent", "wb")'],
  ['read the shadow file', 'open("/etc/shadow").read()'],
  ['write to the hosts file', 'open("/etc/hosts", "a")'],
  ['write to the root', 'open("/x", "w")'],
  ['kill the agent', 'os.kill(1, 9)'],
  ['read the agent’s environment', 'open("/proc/1/environ").read()'],
  ['raise its limits', 'open("/sys/fs/cgroup/memory/memory.limit_in_bytes", "w").write("-1")'],
  [
    'leave by a new namespace',
    'os.unshare(0x10000000) if hasattr(os, "unshare") else (_ for _ in ()).throw(OSError())',
  ],
])('it cannot %s', async (_, source) => {
  const { exited, stderr } = await executor.command(sandboxId, python(`import os, socket\n${source}`));
  expect(exited.exitCode, stderr).toBe(1);
  expect(stderr).toMatch(/Error/);
});

test('what the executor keeps is for root alone', async () => {
  for (const name of ['', 'links', 'bridges', 'claims']) {
    const { mode, uid } = await stat(join(executor.dataDirectory, name));
    expect([name, mode & 0o777, uid]).toEqual([name, 0o700, 0]);
  }
});

test('a sandbox with a smaller disk gets smaller file systems', async () => {
  const small = await executor.sandbox({}, { memoryBytes: 64 * MiB, diskBytes: 8 * MiB });
  const { stdout } = await executor.command(
    small,
    python('import os; s = os.statvfs("/home/user"); print(s.f_blocks * s.f_frsize)'),
  );
  expect(Number(stdout)).toBe(8 * MiB);
});

test('pages cannot be taken out of the kernel’s direct map', async () => {
  const memfdSecret =
    'import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.syscall(447, 0), ctypes.get_errno())';
  // EPERM: a kernel without the call would say ENOSYS.
  expect(await inside(memfdSecret)).toBe('-1 1');
});
