import { readFileSync } from 'node:fs';
import type { Catalog } from '#libs/catalog/catalog.ts';
import type { Logger } from '#libs/log.ts';

/** What bounds the processes and threads of a host, all of its programs together. */
const LIMITS = ['/proc/sys/kernel/pid_max', '/proc/sys/kernel/threads-max'];

// The rest is for agents, the engine, and what else the host runs.
const SHARE = 0.5;

/** How many processes and threads this host can have at one time. */
export function processIdsOfHost(): number {
  return Math.min(...LIMITS.map((file) => Number(readFileSync(file, 'utf8'))));
}

/** What the sandboxes of one executor may have, of as many on one host. */
export function processesForSandboxes(executorsOnHost = 1): number {
  return Math.floor((processIdsOfHost() * SHARE) / executorsOnHost);
}

/** Says at the start if sandboxes of the catalogue would run out of processes before their number is reached. */
export function warnOfFewProcesses(
  { processes, maxSandboxes }: { processes: number; maxSandboxes: number },
  { templates }: Pick<Catalog, 'templates'>,
  log: Logger,
): void {
  const each = Math.min(...[...templates.values()].map(({ limits }) => limits.processes));
  if (maxSandboxes * each <= processes) return;
  const advice =
    'the host has too few process ids for as many sandboxes: raise kernel.pid_max and kernel.threads-max, or lower EXECUTOR_MAX_SANDBOXES';
  log.warn({ processes, maxSandboxes, processesOfEach: each }, advice);
}
