import type { Measured } from './measure.ts';
import type { Footprint } from './memory.ts';
import { atLeast, atMost } from './report.ts';

export type Aim = { what: string; measured: string; aim: string; met: boolean };

/** The figures that we aim for, from those that were measured. */
export function ratios(series: Measured[], { idleSandboxMiB = Number.NaN, servicesMiB }: Footprint): Aim[] {
  const find = (name: string, concurrency = 1) => {
    const found = series.find((each) => each.name.startsWith(name) && each.concurrency === concurrency);
    if (!found) throw new Error(`no series ${name}`);
    return found;
  };
  const p50 = (name: string) => find(name).p50;
  const over = (what: string, name: string, base: string, limit: number): Aim => {
    const ms = p50(name) - p50(base);
    return {
      what,
      measured: `${ms.toFixed(2)} ms`,
      aim: `≤ ${limit} ms`,
      met: ms <= limit,
    };
  };
  const commands = Math.max(...[1, 8, 32].map((concurrency) => find('commands', concurrency).perSecond));
  return [
    over('command over gRPC above raw, true', '(e) whole stack, gRPC, true', '(a) raw fork+exec, true', 5),
    over('command over gRPC above raw, python', '(e) whole stack, gRPC, python', '(a) raw fork+exec, python', 5),
    over('command at the executor above raw, true', '(d) executor direct, true', '(a) raw fork+exec, true', 2),
    atMost('warm create, p50', p50('create to usable, warm'), 15, 'ms'),
    atLeast('docker run / warm create', p50('(b) docker run --rm, true') / p50('create to usable, warm'), 15),
    atLeast('docker run / RunCode, python', p50('(b) docker run --rm, python') / p50('RunCode, python'), 10),
    atLeast('commands per second / docker exec', commands / find('(c) docker exec, true').perSecond, 20),
    atMost('idle sandbox', idleSandboxMiB, 8, 'MiB'),
    ...Object.entries(servicesMiB).map(([name, value]) => atMost(`${name}, resident`, value, 150, 'MiB')),
  ];
}
