import { MiB, startExecutor } from '../integration/executor/fixture.ts';
import { openEngineBaselines } from './engine-baselines.ts';
import { type Measured, measure } from './measure.ts';

const PYTHON = ['/usr/bin/python3', '-c', 'print(1)'];
const GiB = 1024 * MiB;

/** `python print(1)` from source to verdict, against what the engine alone does: one by one, and eight at a time. */
export async function measureExecutions(
  socket: string,
  iterations: number,
  record: (measured: Promise<Measured>) => Promise<unknown>,
): Promise<void> {
  await using baselines = await openEngineBaselines(socket, iterations);
  await using executor = await startExecutor({
    pool: { floor: 3, ceiling: 16, cells: { floor: 1, ceiling: 8 } },
    environment: { EXECUTOR_EXECUTION_SLOTS: '8', EXECUTOR_MEMORY_BYTES: String(100 * GiB) },
  });
  const judge = async (isolation: 'CELL' | 'SANDBOX') => {
    const { verdict } = await executor.run({ isolation, source: 'print(1)', expectedOutput: '1' });
    if (verdict !== 'ACCEPTED') throw new Error(verdict);
  };
  await record(baselines.raw('raw fork+exec, python print(1)', PYTHON));
  for (const concurrency of [1, 8]) {
    const series = { iterations: iterations * concurrency, concurrency, warmUp: 10 };
    await record(measure({ ...series, warmUp: 200, name: 'executor, cell', once: () => judge('CELL') }));
    await record(measure({ ...series, iterations, name: 'executor, fresh sandbox', once: () => judge('SANDBOX') }));
    await record(
      measure({ ...series, iterations, name: 'docker run, python print(1)', once: () => baselines.run(PYTHON) }),
    );
  }
}

if (import.meta.main) {
  const socket = process.env.DOCKER_SOCKET ?? '/var/run/docker.sock';
  await measureExecutions(socket, Number(process.argv[2] ?? 50), async (measured) => {
    const { name, concurrency, p50, p95, perSecond, success } = await measured;
    process.stdout.write(
      `${name}, ${concurrency} at once: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, ${perSecond.toFixed(1)}/s, ${success * 100} %\n`,
    );
  });
}
