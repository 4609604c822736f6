import { writeFile } from 'node:fs/promises';
import type { CpuTimes } from './cpu.ts';
import type { Measured } from './measure.ts';
import { tableOf } from './report.ts';

/** What one round of a series cost: `cpu` is of one execution. */
export type Cost = { measured: Measured; executionsPerSecond: number; cpu: CpuTimes };

export type Series = {
  name: string;
  /** How many callers it has at a time. */
  callers: number;
  /** Whether its times are comparable with those of the bare program. */
  isCompared: boolean;
  cost: () => Promise<Cost>;
};

/** All that is measured, in the order of the table. What `client` uses is not the platform's. */
const COLUMNS = {
  gateway: 'gateway',
  auth: 'auth',
  scheduler: 'scheduler',
  session: 'session',
  postgres: 'PostgreSQL',
  nats: 'NATS',
  'executor-1': 'executor',
  engine: 'engine',
  agent: 'agent',
  cells: 'cell',
  program: 'program',
  client: '(client)',
};

/** Of all, without this process. */
export function total(cpu: CpuTimes): number {
  return [...cpu].reduce((sum, [what, ms]) => (what === 'client' ? sum : sum + ms), 0);
}

/**
 * Prints a table of the medians of all rounds, compared with the series `floor` of as many callers; and writes every round into a
 * file, where one is named.
 */
export async function reportCosts(
  costs: ReadonlyMap<Series, Cost[]>,
  floor: string,
  file: string | undefined,
): Promise<void> {
  const floors = [...costs].filter(([{ name }]) => name === floor);
  const rows = [...costs].map(([{ name, callers, isCompared }, rounds]) => {
    const of = (value: (cost: Cost) => number) => median(rounds.map(value));
    const [, bare = []] = floors.find(([each]) => each.callers === callers) ?? [];
    const columns = Object.keys(COLUMNS).map((what) =>
      rounds[0]!.cpu.has(what) ? of(({ cpu }) => cpu.get(what)!).toFixed(2) : '',
    );
    return [
      name,
      callers,
      ...columns,
      of(({ cpu }) => total(cpu)).toFixed(2),
      of(p50).toFixed(2),
      isCompared ? (of(p50) - median(bare.map(p50))).toFixed(2) : '',
      of(({ executionsPerSecond }) => executionsPerSecond).toFixed(0),
    ];
  });
  const head = ['CPU ms of one', 'at once', ...Object.values(COLUMNS), 'all', 'p50 ms', 'above bare', 'per second'];
  process.stdout.write(`${tableOf(head, rows)}\n`);
  if (!file) return;
  const every = [...costs].map(([{ name, callers }, rounds]) => ({
    name,
    callers,
    rounds: rounds.map(({ cpu, ...cost }) => ({ ...cost, cpu: Object.fromEntries(cpu) })),
  }));
  await writeFile(file, `${JSON.stringify(every, null, 2)}\n`);
}

const p50 = ({ measured }: Cost) => measured.p50;

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
