import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineSocket } from './backend-under-test.ts';
import { type Container, connectEngine } from './engine.ts';
import { startExecutor, type TestExecutor } from './fixture.ts';

const ORDINARY_PROFILE = join(import.meta.dirname, '../../../.build/seccomp.json');
const POOL = { floor: 0, ceiling: 0 };

describe('a sandbox for cells', () => {
  let executor: TestExecutor;
  let ordinary: Container;
  let host: Container;

  beforeAll(async () => {
    executor = await startExecutor({ pool: POOL });
    await executor.sandbox();
    const engine = connectEngine(engineSocket(), executor.id);
    const [first] = await engine.list();
    ordinary = await engine.inspect(first!);
    await executor.run({ isolation: 'CELL', source: '' });
    const second = (await engine.list()).find((id) => id !== first);
    host = await engine.inspect(second!);
  });

  afterAll(() => executor[Symbol.asyncDispose]());

  test('is made like any other, but for what making cells takes', () => {
    const withoutUsers = ({ Config }: Container, value: unknown) => {
      const user = Number(Config.Labels['drydock.user']);
      return JSON.stringify(value)
        .replaceAll(`${user}`, 'user')
        .replaceAll(`${user + 1}`, 'owner');
    };
    const isAlike = (kind: 'Config' | 'HostConfig', key: string) =>
      withoutUsers(host, host[kind][key]) === withoutUsers(ordinary, ordinary[kind][key]);
    const differing = Object.keys(host.HostConfig).filter((key) => !isAlike('HostConfig', key));
    expect(differing.toSorted()).toEqual(['Binds', 'MaskedPaths', 'ReadonlyPaths', 'SecurityOpt']);
    const configured = Object.keys(host.Config).filter((key) => key !== 'Labels' && !isAlike('Config', key));
    expect(configured).toEqual([]);
  });

  test('has the whole of /proc, for fresh ones to be made', () => {
    expect(host.HostConfig).toMatchObject({ MaskedPaths: [], ReadonlyPaths: [] });
  });

  test('has one more mount from the host, which cannot be written', () => {
    const binds = host.Mounts.filter(({ Type }) => Type === 'bind');
    expect(binds.map(({ Destination, RW }) => [Destination, RW]).toSorted()).toEqual([
      ['/etc/hosts', false],
      ['/run/drydock/agent', false],
      ['/run/drydock/cell', false],
      ['/run/drydock/link', false],
    ]);
  });

  test('may make namespaces and mounts, and otherwise has the same filter', () => {
    const [newPrivileges, profile, ...others] = host.HostConfig.SecurityOpt as string[];
    expect(newPrivileges).toBe('no-new-privileges');
    expect(others.filter((option) => option !== 'apparmor=unconfined')).toEqual([]);
    const namesIn = (option: string) => {
      const { defaultAction, syscalls } = JSON.parse(option.slice('seccomp='.length));
      expect(defaultAction).toBe('SCMP_ACT_ERRNO');
      return new Set<string>(
        syscalls.filter((each: { action: string }) => each.action === 'SCMP_ACT_ALLOW').flatMap(namesOf),
      );
    };
    const namesOf = ({ names }: { names: string[] }) => names;
    const added = namesIn(profile!).difference(namesIn(ordinary.HostConfig.SecurityOpt[1]));
    for (const name of added)
      expect(['mount', 'mount_setattr', 'umount2', 'unshare', 'sethostname', 'pivot_root']).toContain(name);
    for (const name of ['bpf', 'keyctl', 'io_uring_setup', 'open_tree', 'move_mount', 'userfaultfd', 'setns'])
      expect(namesIn(profile!).has(name), name).toBe(false);
  });
});

describe('where no cells can be made', () => {
  let executor: TestExecutor;

  beforeAll(async () => {
    // The filter of ordinary sandboxes allows no namespaces.
    executor = await startExecutor({ pool: POOL, environment: { CELL_SECCOMP_PROFILE: ORDINARY_PROFILE } });
  });

  afterAll(() => executor[Symbol.asyncDispose]());

  test('executions get sandboxes of their own', async () => {
    const { verdict, execution } = await executor.run({ source: 'print(1)', expectedOutput: '1' });
    expect([verdict, execution!.isolation]).toEqual(['ACCEPTED', 'SANDBOX']);
  });

  test('whoever insists on a cell is told', async () => {
    await expect(executor.run({ isolation: 'CELL', source: '' })).rejects.toMatchObject({
      reason: 'NOT_IMPLEMENTED',
      message: expect.stringContaining('SANDBOX'),
    });
  });

  test('and nothing is left of having tried', async () => {
    await expect.poll(() => executor.engine.list()).toEqual([]);
  });
});
