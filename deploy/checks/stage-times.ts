import { cpus } from 'node:os';
import Table from 'cli-table3';

export type StageTimes = {
  /** Waits for a stage, and notes how long it took. */
  of<T>(name: string, work: Promise<T>): Promise<T>;
  /** Each stage: when it began and how long it took, in seconds, and how busy all cores were meanwhile. */
  table(): string;
};

/** Measures the stages of a run. One that keeps the cores idle could run beside another. */
export function startTimes(): StageTimes {
  const began = performance.now();
  const rows: [name: string, start: number, seconds: number, busy: number][] = [];
  return {
    async of(name, work) {
      const [start, before] = [performance.now(), cpuTimes()];
      try {
        return await work;
      } finally {
        const after = cpuTimes();
        const busy = (after.busy - before.busy) / (after.all - before.all);
        rows.push([name, (start - began) / 1_000, (performance.now() - start) / 1_000, busy]);
      }
    },
    table() {
      const table = new Table({ head: ['stage', 'from s', 'took s', 'cores busy'], style: { head: [], border: [] } });
      for (const [name, start, seconds, busy] of rows.toSorted((a, b) => a[1] - b[1]))
        table.push([name, start.toFixed(0), seconds.toFixed(1), `${(busy * 100).toFixed(0)} %`]);
      const all = (performance.now() - began) / 1_000;
      return `${table}\n${(all / 60).toFixed(1)} minutes in all`;
    },
  };
}

function cpuTimes(): { busy: number; all: number } {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    const sum = times.user + times.nice + times.sys + times.irq + times.idle;
    all += sum;
    busy += sum - times.idle;
  }
  return { busy, all };
}
