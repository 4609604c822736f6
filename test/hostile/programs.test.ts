import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { connectGrpc } from '../support/api.ts';

const platform = inject('platform');
const api = connectGrpc(platform, platform.apiKey);
let sandboxId: string;

beforeAll(async () => {
  sandboxId = (await api.createSandbox({ lifetime: { seconds: 600, nanos: 0 } })).id;
});
afterAll(async () => {
  await api.deleteSandbox(sandboxId);
  api[Symbol.dispose]();
});

const python = (source: string) => ['python3', '-c', source];
const nextWorks = async () =>
  expect(await api.command(sandboxId, ['echo', 'still here'])).toMatchObject({
    stdout: 'still here\n',
  });

describe('a program cannot harm its sandbox for the next command', () => {
  test('fork bomb', async () => {
    const bomb = python('import os\nwhile True:\n  try: os.fork()\n  except OSError: pass');
    const stop = new AbortController();
    for await (const { event } of api.start(sandboxId, bomb, {}, stop.signal)) {
      if (event?.$case === 'started') break;
    }
    stop.abort();
    await expect
      .poll(() => api.command(sandboxId, ['echo', 'back']), { timeout: 20_000 })
      .toMatchObject({ stdout: 'back\n' });
  });

  test('kill -9 -1', async () => {
    const { exited } = await api.command(sandboxId, python('import os; os.kill(-1, 9)'));
    expect(exited.exitCode ?? exited.signal).toBeDefined();
    await nextWorks();
  });

  test('out of memory in a child', async () => {
    const { exited } = await api.command(sandboxId, python('x = []\nwhile True: x.append(bytearray(10_000_000))'));
    expect(exited.signal).toBe('SIGKILL');
    expect(exited.usage?.oomKills).toBeGreaterThan(0);
    await nextWorks();
  });

  test('1 GiB of output', async () => {
    let bytes = 0;
    const flood = ['head', '-c', String(1 << 30), '/dev/zero'];
    for await (const { event } of api.start(sandboxId, flood))
      if (event?.$case === 'stdout') bytes += event.value.content?.value.length ?? 0;
    expect(bytes).toBe(1 << 30);
    await nextWorks();
  }, 120_000);

  test('stopping itself', async () => {
    const stop = new AbortController();
    for await (const { event } of api.start(sandboxId, python('import os; os.kill(os.getpid(), 19)'), {}, stop.signal))
      if (event?.$case === 'started') break;
    stop.abort();
    await nextWorks();
    await expect
      .poll(async () => (await api.processes.listProcesses({ sandboxId })).processes.filter(({ exited }) => !exited))
      .toEqual([]);
  });

  test('thousands of zombies', async () => {
    const zombies = python(
      'import os\nfor _ in range(3000):\n  if os.fork() == 0:\n    if os.fork() == 0: os._exit(0)\n    os._exit(0)\n  os.wait()',
    );
    expect((await api.command(sandboxId, zombies)).exited.exitCode).toBe(0);
    await nextWorks();
  }, 60_000);

  test('closing its own standard streams', async () => {
    const { exited } = await api.command(
      sandboxId,
      python('import os\nfor fd in (0, 1, 2): os.close(fd)\nos._exit(7)'),
    );
    expect(exited.exitCode).toBe(7);
    await nextWorks();
  });
});

test('an exit is told at once though a background child keeps the output open', async () => {
  const started = performance.now();
  const { exited, stdout } = await api.command(
    sandboxId,
    python('import os, time\nif os.fork() == 0: time.sleep(60)\nprint("done", flush=True)'),
  );
  expect(stdout).toBe('done\n');
  expect(exited.outputStillOpen).toBe(true);
  expect(performance.now() - started).toBeLessThan(5_000);
});

describe('what a program is and may', () => {
  test('it has a user of its own, no capability, no new privileges and a seccomp filter', async () => {
    const { stdout } = await api.command(sandboxId, ['cat', '/proc/self/status']);
    expect(stdout).toMatch(/^Uid:\s+(2\d{9})(\s+\1){3}$/m);
    expect(stdout).toMatch(/^CapEff:\s+0{16}$/m);
    expect(stdout).toMatch(/^CapPrm:\s+0{16}$/m);
    expect(stdout).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(stdout).toMatch(/^Seccomp:\s+2$/m);
  });

  test('it sees no network but the loopback interface', async () => {
    const { stdout } = await api.command(sandboxId, ['cat', '/proc/net/dev']);
    const interfaces = stdout
      .split('\n')
      .slice(2)
      .filter(Boolean)
      .map((line) => line.split(':')[0]?.trim());
    expect(interfaces).toEqual(['lo']);
  });

  test.each([
    ['write to the root file system', 'open("/etc/x", "w")'],
    [
      'reach the agent’s socket',
      'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/drydock/link/agent.sock")',
    ],
    ['signal the agent', 'import os; os.kill(1, 9)'],
    ['read the agent’s memory', 'open("/proc/1/mem", "rb")'],
    ['trace the agent', 'import ctypes; c = ctypes.CDLL(None); assert c.ptrace(16, 1, 0, 0) == 0'],
    [
      'unshare a user namespace',
      'import os; os.unshare(os.CLONE_NEWUSER) if hasattr(os, "unshare") else (_ for _ in ()).throw(OSError) if __import__("ctypes").CDLL(None).unshare(0x10000000) else None',
    ],
    ['open an AF_VSOCK socket', 'import socket; socket.socket(40, socket.SOCK_STREAM)'],
    ['open a raw socket', 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'],
    ['use io_uring', 'import ctypes; assert ctypes.CDLL(None).syscall(425, 1, 0) >= 0'],
    ['use bpf', 'import ctypes; assert ctypes.CDLL(None).syscall(321, 0, 0, 0) >= 0'],
    ['use keyctl', 'import ctypes; assert ctypes.CDLL(None).syscall(250, 0, -3, 1) >= 0'],
    ['mount a file system', 'import ctypes; assert ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, 0) == 0'],
    ['become root', 'import os; os.setuid(0)'],
  ])('it cannot %s', async (_, source) => {
    const { exited, stderr } = await api.command(sandboxId, python(source));
    expect(exited.exitCode, stderr).toBe(1);
    expect(stderr).toMatch(/Error/);
  });

  test('files go through its own rights, also through links that it planted', async () => {
    await api.command(
      sandboxId,
      python('import os; os.symlink("/proc/1/environ", "/home/user/link"); os.symlink("/etc", "/home/user/etc")'),
    );
    await expect(api.readFile(sandboxId, 'link')).rejects.toMatchObject({
      reason: 'FILE_PERMISSION_DENIED',
    });
    await expect(api.writeFile(sandboxId, 'etc/passwd', 'x')).rejects.toThrow();
  });
});
