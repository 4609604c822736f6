import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { StartError } from '../host/start-error.ts';

const SUFFIX = '.log';
/** Of one process; the file before it is kept, so at most twice that. */
const MAX_BYTES = 16 * 1024 * 1024;
const LINES_SHOWN = 200;

export type LogFiles = {
  directory: string;
  /** Appends a line to the file of a process. */
  write(process: string, line: string): void;
};

/**
 * A file for each process, `<process>.log` below a directory. One of an earlier start, or of more than 16 MiB, is renamed to
 * `<process>.log.1`, in place of the one before it. A line that the disk does not take is lost: `onLoss` hears of the first.
 */
export function openLogFiles(directory: string, onLoss: (error: Error) => void): LogFiles {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const sizes = new Map<string, number>();
  let lost = false;
  const append = (process: string, text: string) => {
    const file = join(directory, `${process}${SUFFIX}`);
    const size = sizes.get(process) ?? Number.POSITIVE_INFINITY;
    const fits = size + text.length <= MAX_BYTES;
    if (!fits && existsSync(file)) renameSync(file, `${file}.1`);
    appendFileSync(file, text, { mode: 0o600 });
    sizes.set(process, (fits ? size : 0) + Buffer.byteLength(text));
  };
  return {
    directory,
    write(process, line) {
      try {
        append(process, `${line}\n`);
      } catch (error) {
        if (!lost) onLoss(error as Error);
        lost = true;
      }
    },
  };
}

/** Prints the last 200 lines of the processes that are named, by default of all, and with `follow` what comes, until Ctrl-C. */
export async function showLogs(directory: string, processes: string[], follow: boolean): Promise<void> {
  const known = existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.endsWith(SUFFIX) && statSync(join(directory, name)).isFile())
        .map((name) => name.slice(0, -SUFFIX.length))
    : [];
  if (known.length === 0) throw new StartError(`there are no logs in ${directory}`, 'npm start');
  const unknown = processes.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new StartError(`there is no log of ${unknown.join(', ')}`, `name some of ${known.sort().join(', ')}`);
  const files = (processes.length > 0 ? processes : known.sort()).map((name) => join(directory, `${name}${SUFFIX}`));
  await execa('tail', [`--lines=${LINES_SHOWN}`, ...(follow ? ['--follow=name', '--retry'] : []), '--', ...files], {
    stdio: 'inherit',
    reject: false,
  });
}
