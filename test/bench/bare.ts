import { join } from 'node:path';
import Docker from 'dockerode';
import { execa } from 'execa';
import { BUILD } from '../../deploy/host/root.ts';
import { imageTag } from '../../deploy/images/build.ts';
import { cgroupCpuMs, cgroupFile } from './cpu.ts';
import { type Measured, summarize } from './measure.ts';

const WARM_UP = 10;

export type Bare = AsyncDisposable & {
  /** Runs the words so often, by so many at a time; `cpuMs` is the processor time of one run. */
  run(name: string, iterations: number, callers: number): Promise<{ measured: Measured; cpuMs: number }>;
};

/**
 * Fork and exec in the root of the Python image, with nothing around but a control group; of so many CPUs where some are given.
 */
export async function openBare(socketPath: string, words: readonly string[], cpus?: number): Promise<Bare> {
  const docker = new Docker({ socketPath });
  const container = await docker.createContainer({
    Image: await imageTag('python'),
    Entrypoint: ['/usr/bin/sleep', 'infinity'],
    HostConfig: { NetworkMode: 'none', ...(cpus ? { NanoCpus: cpus * 1e9 } : {}) },
    User: '1000',
  });
  await container.start();
  const { Pid: pid } = (await container.inspect()).State;
  const groups = await Promise.all(
    ['cpu', 'cpuacct'].map((controller) => cgroupFile(pid, controller, 'cgroup.procs', 'cgroup.procs')),
  );
  const runEach = async (count: number) => {
    const enter = 'echo $$ >"$0" && echo $$ >"$1" && shift && exec "$@"';
    const rawExec = [join(BUILD, 'bin/raw-exec'), `/proc/${pid}/root`, String(count), ...words];
    const { stdout } = await execa('sh', ['-c', enter, ...(groups as string[]), ...rawExec]);
    return stdout.split('\n').map((nanoseconds) => Number(nanoseconds) / 1e6);
  };
  return {
    async run(name, iterations, callers) {
      await runEach(WARM_UP);
      const [cpuBefore, started] = [await cgroupCpuMs(pid), performance.now()];
      const count = Math.ceil(iterations / callers);
      const times = (await Promise.all(Array.from({ length: callers }, () => runEach(count)))).flat();
      const elapsed = performance.now() - started;
      const cpuMs = ((await cgroupCpuMs(pid)) - cpuBefore) / times.length;
      return { measured: summarize(name, times, { concurrency: callers, elapsed }), cpuMs };
    },
    [Symbol.asyncDispose]: () => container.remove({ force: true }),
  };
}
