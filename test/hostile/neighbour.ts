import { newId } from '#libs/ids.ts';
import { StartProcessRequest } from '#proto/drydock/v1/process.ts';
import { python, STRANGER, specOf, type TestExecutor } from '../integration/executor/fixture.ts';
import { collect } from '../support/api.ts';
import { LIFETIME_MS } from './lanes.ts';

const PAUSE_MS = 300;
const SLOW_MS = 5_000;

export type Neighbour = AsyncDisposable & {
  /** What came of its calls so far. */
  readonly affected: string[];
  summary(): string;
};

/** Uses what a program of an ordinary tenant has: a file of its own, memory, a child, a watch, a timer, a pipe. */
const ORDINARY = `
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
r, w = os.pipe(); os.set_blocking(w, False)
timer = ctypes.c_void_p()
print(open("/home/user/mine").read(), len(bytearray(16 << 20)) >> 20, subprocess.run(["true"]).returncode,
      libc.inotify_init1(0) > 0, libc.timer_create(1, None, ctypes.byref(timer)), os.write(w, bytes(65536)))`;

/** Another organisation's live sandbox at the same executor, whose programs work all the time until it is disposed. */
export async function startNeighbour(executor: TestExecutor): Promise<Neighbour> {
  const options = { caller: STRANGER };
  const spec = specOf({ organizationId: STRANGER.organizationId, expireTime: new Date(Date.now() + LIFETIME_MS) });
  const { sandboxId } = spec;
  await executor.executor.claimSandbox({ spec }, options);
  await executor.executor.confirmSandbox({ sandboxId }, options);
  const mine = newId('evt');
  await executor.writeFile(sandboxId, '/home/user/mine', mine, STRANGER);
  const wanted = `${mine} 16 0 True 0 65536\n`;
  const times: number[] = [];
  const affected: string[] = [];
  const work = async () => {
    const started = performance.now();
    const request = StartProcessRequest.create({ sandboxId, command: python(ORDINARY) });
    const { stdout, stderr } = await collect(executor.processes.startProcess(request, options));
    const ms = performance.now() - started;
    times.push(ms);
    if (stdout !== wanted) affected.push(`${stdout} ${stderr}`);
    if (ms > SLOW_MS) affected.push(`${Math.round(ms)} ms`);
  };
  const stop = new AbortController();
  const working = repeat(work, stop.signal, (error) => affected.push(String(error)));
  return {
    affected,
    summary() {
      const sorted = times.toSorted((a, b) => a - b).map(Math.round);
      return `${times.length} programs of a neighbour, ${affected.length} affected, p50 ${sorted[sorted.length >> 1]} ms, slowest ${sorted.at(-1)} ms`;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await working;
      await executor.executor.destroySandbox({ sandboxId }, options);
    },
  };
}

async function repeat(work: () => Promise<void>, signal: AbortSignal, failed: (error: unknown) => void): Promise<void> {
  while (!signal.aborted) {
    await work().catch(failed);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
