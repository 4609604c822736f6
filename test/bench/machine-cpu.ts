import { readFile } from 'node:fs/promises';

/** The kernel's unit in /proc/stat, on every architecture that we run on. */
const MS_PER_TICK = 10;

/** CPU time that this machine has spent so far, but for what it idled and waited, in milliseconds. */
export async function machineCpuMs(): Promise<number> {
  const [line] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user, nice, system, , , interrupts, softInterrupts] = line!.split(/\s+/).slice(1).map(Number);
  return (user! + nice! + system! + interrupts! + softInterrupts!) * MS_PER_TICK;
}
