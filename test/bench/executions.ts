import { MiB, startExecutor } from '../integration/executor/fixture.ts';
import { openEngineBaselines } from './engine-baselines.ts';
import { type Measured, measure } from './measure.ts';

const PYTHON = ['/usr/bin/python3', '-c', 'print(1)'];
const GiB = 1024 * MiB;

type Compared = { cell: Measured; sandbox: Measured; engine: Measured };

/**
 * `python print(1)` from source to verdict at the executor itself, against what the engine alone does: one by one, and eight
 * at a time.
 */
export async function measureExecutions(
  socket: string,
  iterations: number,
  record: (measured: Promise<Measured>) => Promise<Measured>,
): Promise<{ raw: Measured; one: Compared; eight: Compared }> {
  await using baselines = await openEngineBaselines(socket, iterations);
  await using executor = await startExecutor({
    pool: { floor: 3, ceiling: 16, cells: { floor: 1, ceiling: 8 } },
    environment: { EXECUTOR_EXECUTION_SLOTS: '8', EXECUTOR_MEMORY_BYTES: String(100 * GiB) },
  });
  const judge = async (isolation: 'CELL' | 'SANDBOX') => {
    const { verdict } = await executor.run({ isolation, source: 'print(1)', expectedOutput: '1' });
    if (verdict !== 'ACCEPTED') throw new Error(verdict);
  };
  const compare = async (concurrency: number): Promise<Compared> => {
    const each = { iterations, concurrency, warmUp: Math.min(10, iterations) };
    const cells = { iterations: iterations * concurrency, concurrency, warmUp: Math.min(200, 10 * iterations) };
    return {
      cell: await record(measure({ ...cells, name: 'executor, cell', once: () => judge('CELL') })),
      sandbox: await record(measure({ ...each, name: 'executor, fresh sandbox', once: () => judge('SANDBOX') })),
      engine: await record(measure({ ...each, name: 'docker run', warmUp: 2, once: () => baselines.run(PYTHON) })),
    };
  };
  return {
    raw: await record(baselines.raw('raw fork+exec', PYTHON)),
    one: await compare(1),
    eight: await compare(8),
  };
}
