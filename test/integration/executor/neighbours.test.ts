import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import { StartProcessRequest, type StartProcessResponse } from '#proto/drydock/v1/process.ts';
import { collect, textOf } from '../../support/api.ts';
import { NEEDS_ENGINE } from './backend-under-test.ts';
import { CALLER, executionOf, MiB, python, STRANGER, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 0, ceiling: 0 } });
});
afterAll(() => executor[Symbol.asyncDispose]());

/** What the kernel counts by user, but for watches. */
const COUNTED = `
import array, ctypes, fcntl, os, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
librt = ctypes.CDLL("librt.so.1", use_errno=True)
held = []

def inotify():
  held.append(libc.inotify_init1(0)); return held[-1] >= 0

def timer():
  return libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())) == 0

def queued_signal():
  return libc.sigqueue(os.getpid(), signal.SIGRTMIN, ctypes.c_void_p()) == 0

def descriptor():
  held.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
  try: held[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 250))]); return True
  except OSError: return False

def enlarge(pipe):
  for size in (1 << 20, 1 << 19, 1 << 18, 1 << 17):
    try: return fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)
    except OSError: pass

def pipe():
  held.append(os.pipe()); return enlarge(held[-1][1])

def queue():
  # It counts until it is closed as well.
  return librt.mq_open(b"/q", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0 and librt.mq_unlink(b"/q") == 0

def key():
  return libc.syscall(248, b"user", b"k%d" % time.monotonic_ns(), b"v", 1, -2) >= 0

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
`;

/** Takes all of everything, and the pages of the standard streams of its neighbours in the sandbox. */
const TAKE_ALL = `${COUNTED}
import glob
for path in glob.glob("/proc/[0-9]*/fd/[012]"):
  try: enlarge(os.open(path, os.O_RDWR | os.O_NONBLOCK))
  except OSError: pass
while descriptor(): pass
while pipe(): pass
while queue(): pass
while key(): pass
while inotify():
  if len(held) > 3500:
    if os.fork(): time.sleep(300)
    held.clear(); os.closerange(3, 4096)
for _ in range(10_000): timer()
while queued_signal(): pass
print("ready", flush=True); time.sleep(300)`;

/** Prints how many of eight of each it gets, and how large its pipes are. */
const ASK = `${COUNTED}
of = lambda take: sum(take() for _ in range(8))
print({take.__name__: of(take) for take in (inotify, timer, queued_signal, queue, key)}, descriptor(),
  [fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) for fd in (os.pipe()[1], 1, 2)])`;

/** What watches are taken with: a call adds one, or fails. */
const WATCHES = `
import ctypes, errno, itertools, os, select, time
libc = ctypes.CDLL(None, use_errno=True)

def inotify(paths):
  fd = libc.inotify_init1(0)
  for path in paths:
    if libc.inotify_add_watch(fd, path.encode(), 0xfff) < 0: raise OSError(ctypes.get_errno(), path)
    yield

def epoll(fds):
  poll = select.epoll()
  os.dup(poll.fileno())
  for fd in fds: poll.register(fd, select.EPOLLIN); yield
`;

/** Takes all watches that the user may have; ends if anything else than their limit comes before. */
const TAKE_WATCHES = `${WATCHES}
paths = [os.path.join(top, name) for top, _, names in os.walk("/usr/lib") for name in names][:1000]
fds = [os.eventfd(0) for _ in range(1000)]
for watch, watched in ((inotify, paths), (epoll, fds)):
  try:
    while True:
      for _ in watch(watched): pass
  except OSError as error:
    if error.errno != errno.ENOSPC: raise
print("ready", flush=True); time.sleep(300)`;

/** Prints how many of eight watches of each kind it gets. */
const ASK_FOR_WATCHES = `${WATCHES}
def of(watches):
  taken = 0
  try:
    for taken, _ in enumerate(watches, 1): pass
  except OSError as error:
    if error.errno != errno.ENOSPC: raise
  return taken
paths = ["/", "/bin", "/dev", "/etc", "/lib", "/proc", "/tmp", "/usr"]
print(of(inotify(paths)), of(epoll([os.eventfd(0) for _ in range(8)])))`;

/** Each of its users then has so many, few enough to be taken within a moment. Nobody else on the host comes near. */
const FEW_WATCHES = '100000';
const WATCH_LIMITS = ['/proc/sys/fs/inotify/max_user_watches', '/proc/sys/fs/epoll/max_user_watches'];

const GRANTED = "{'inotify': 8, 'timer': 8, 'queued_signal': 8, 'queue': 8, 'key': 0} True [65536, 65536, 65536]\n";
const LIMITS = {
  memoryBytes: 512 * MiB,
  processes: 128,
  openFiles: 4096,
  cpuTime: { seconds: 60, nanos: 0 },
  wallTime: { seconds: 60, nanos: 0 },
};
const IN_CELL = { limits: LIMITS, isolation: 'CELL' } as const;
const IDLE_PROCESSES = 40;
const IS_ROOT = process.getuid?.() === 0;
const NEEDS_ROOT = 'only root may lower limits of the host';

test('a tenant in a sandbox takes all watches of inotify and epoll, and another has what it had', async ({ skip }) => {
  if (!IS_ROOT) skip(NEEDS_ROOT);
  await using _few = await lowerLimits(WATCH_LIMITS, FEW_WATCHES);
  const [taker, neighbour] = [await sandboxOf(CALLER), await sandboxOf(STRANGER)];
  const ask = async (caller: Caller, sandboxId: string) =>
    (await collect(start(caller, sandboxId, python(ASK_FOR_WATCHES)))).stdout;
  const stop = new AbortController();
  await untilReady(start(CALLER, taker, python(TAKE_WATCHES), stop.signal));
  // An agent that shares the user of its programs is left without a watch, too, and may hear nothing of one.
  expect(await ask(CALLER, taker)).toMatch(/^(0 0\n)?$/);
  expect(await ask(STRANGER, neighbour)).toBe('8 8\n');
  stop.abort();
});

test('a tenant in a cell takes all watches of inotify and epoll, and another has what it had', async ({ skip }) => {
  if (NEEDS_ENGINE) skip(NEEDS_ENGINE);
  if (!IS_ROOT) skip(NEEDS_ROOT);
  await using _few = await lowerLimits(WATCH_LIMITS, FEW_WATCHES);
  const stop = new AbortController();
  await untilReady(runInCell(TAKE_WATCHES, stop.signal));
  const { organizationId } = STRANGER;
  const { execution } = await executor.run({ ...IN_CELL, source: ASK_FOR_WATCHES, organizationId });
  expect(execution!.stdout).toBe('8 8\n');
  stop.abort();
});

test('a tenant in a sandbox takes all that the kernel counts by user, and another has what it had', async () => {
  const [taker, neighbour] = [await sandboxOf(CALLER), await sandboxOf(STRANGER)];
  const ask = async () => (await collect(start(STRANGER, neighbour, python(ASK)))).stdout;
  expect(await ask()).toBe(GRANTED);
  const stop = new AbortController();
  const sleepers = Array.from({ length: IDLE_PROCESSES }, () => start(CALLER, taker, ['sleep', '300'], stop.signal));
  await Promise.all(sleepers.map((events) => events[Symbol.asyncIterator]().next()));
  await untilReady(start(CALLER, taker, python(TAKE_ALL), stop.signal));
  expect(await ask()).toBe(GRANTED);
  stop.abort();
});

test('a tenant in a cell takes all that the kernel counts by user, and another has what it had', async ({ skip }) => {
  if (NEEDS_ENGINE) skip(NEEDS_ENGINE);
  const ask = async () =>
    (await executor.run({ ...IN_CELL, source: ASK, organizationId: STRANGER.organizationId })).execution!.stdout;
  expect(await ask()).toBe(GRANTED);
  const stop = new AbortController();
  await untilReady(runInCell(TAKE_ALL, stop.signal));
  expect(await ask()).toBe(GRANTED);
  stop.abort();
});

async function sandboxOf(caller: Caller): Promise<string> {
  const { sandboxId } = await executor.claim({ organizationId: caller.organizationId }, LIMITS);
  await executor.executor.confirmSandbox({ sandboxId }, { caller });
  return sandboxId;
}

function start(caller: Caller, sandboxId: string, command: string[], signal?: AbortSignal) {
  const request = StartProcessRequest.create({ sandboxId, command });
  return executor.processes.startProcess(request, { caller, ...(signal && { signal }) });
}

function runInCell(source: string, signal: AbortSignal) {
  const request = { spec: executionOf({ ...IN_CELL, source }), streamOutput: true };
  return executor.executor.runExecution(request, { caller: CALLER, signal });
}

/** Gives limits of the host another value until it is disposed. */
async function lowerLimits(files: string[], value: string): Promise<AsyncDisposable> {
  const before = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  await Promise.all(files.map((file) => writeFile(file, value)));
  return {
    [Symbol.asyncDispose]: async () => void (await Promise.all(files.map((file, n) => writeFile(file, before[n]!)))),
  };
}

/** Reads events until the program has printed `ready`; it runs on. */
async function untilReady(events: AsyncIterable<StartProcessResponse | RunExecutionResponse>): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  for (let printed = ''; !printed.includes('ready'); ) {
    const { value, done } = await iterator.next();
    if (done) throw new Error(`it ended, after ${printed}`);
    const { event } = value;
    if (event?.$case === 'stdout' || event?.$case === 'stderr') printed += textOf(event.value);
  }
}
