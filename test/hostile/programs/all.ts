import { AGENT, LEFTOVERS } from './agent.ts';
import { CALLS } from './calls.ts';
import { COMPILERS } from './compilers.ts';
import { CPU } from './cpu.ts';
import { DESCRIPTORS } from './descriptors.ts';
import { DISK } from './disk.ts';
import { KERNEL } from './kernel.ts';
import { MEMORY } from './memory.ts';
import { MOUNTS } from './mounts.ts';
import { NETWORK } from './network.ts';
import { OUTPUT } from './output.ts';
import { PROC } from './proc.ts';
import { PROCESSES } from './processes.ts';
import type { Program } from './program.ts';
import { SIGNALS } from './signals.ts';

/** Every hostile program, by its kind. */
export const KINDS: Record<string, readonly Program[]> = {
  processes: PROCESSES,
  memory: MEMORY,
  disk: DISK,
  CPU,
  output: OUTPUT,
  signals: SIGNALS,
  descriptors: DESCRIPTORS,
  network: NETWORK,
  mounts: MOUNTS,
  '/proc and /sys': PROC,
  kernel: KERNEL,
  agent: AGENT,
  leftovers: LEFTOVERS,
  compilers: COMPILERS,
};

/** Those that show in a few seconds that a place keeps its limits. */
const BRIEFLY = new Set([
  'fork bomb',
  'daemon that outlives the program',
  'memory without end',
  'a large file',
  'a loop',
  'lines without end',
  'a signal that kills everybody',
  'services of the platform',
  'mount',
  'the memory of the first process',
  'reading the agent’s memory',
  'writing through a planted link',
]);

export const ALL_PROGRAMS = Object.values(KINDS).flat();
export const FEW_PROGRAMS = ALL_PROGRAMS.filter(({ name }) => BRIEFLY.has(name));
export const FEW_CALLS = CALLS.filter(({ name }) => BRIEFLY.has(name));
