import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { NODE, ROOT } from '../../deploy/host/root.ts';

const DATA_DIRECTORY = process.env.DRYDOCK_DATA_DIR ?? '/var/lib/drydock';

// Of those that need no cluster.
describe.concurrent('a benchmark runs to its table, with a few iterations', () => {
  test.each([
    ['main', ['--iterations=1'], 'RunCode, python'],
    ['queue', ['--submissions=20', '--executions=5'], 'queue drained, from start to end of each'],
    ['cost', ['--iterations=4', '--rounds=1'], 'queue, 100 in a batch'],
    ['peers', ['--no-cluster', '--callers=1', '--seconds=0.1', '--picture=/dev/null'], 'Drydock, queue'],
    ['scale', ['--executors=50', '--rows=50', '--iterations=4', '--picture=/dev/null'], 'mark an executor lost'],
  ])('%s', { timeout: 180_000 }, async (name, options, lastSeries) => {
    const { stdout } = await execa(NODE, [join(ROOT, 'test/bench', `${name}.ts`), ...options], {
      env: { DOCKER_HOST: `unix://${process.env.DOCKER_SOCKET}`, DRYDOCK_DATA_DIR: DATA_DIRECTORY },
    });

    const row = stdout.split('\n').find((line) => line.includes(lastSeries));
    expect(row?.match(/\d+\.\d\d/g)?.length).toBeGreaterThan(1);
    expect(stdout).not.toContain('NaN');
  });
});
