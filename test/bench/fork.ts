import { join } from 'node:path';
import { execa } from 'execa';
import { BUILD } from '../../deploy/host/root.ts';
import { type Measured, summarize } from './measure.ts';

export type Fork = {
  /** Absolute path first. */
  words: readonly string[];
  iterations: number;
  /** Of the file system. Default: the machine's own. */
  root?: string;
  /** Default: 1000. */
  user?: number;
  /** Runs at once. Default: 1. */
  callers?: number;
};

/** Fork and exec, by a program that does nothing else. Throws where a run fails. */
export async function forkAndExec(
  name: string,
  { words, iterations, root = '/', user = 1000, callers = 1 }: Fork,
): Promise<Measured> {
  const { stdout } = await execa(join(BUILD, 'bin/raw-exec'), [
    `-user=${user}`,
    `-callers=${callers}`,
    root,
    String(iterations),
    ...words,
  ]);
  const times = stdout.split('\n').map((nanoseconds) => Number(nanoseconds) / 1e6);
  const elapsed = times.reduce((sum, ms) => sum + ms, 0) / callers;
  return summarize(name, times, { iterations, concurrency: callers, elapsed });
}
