import { durationOf } from '#libs/catalog/limits.ts';
import type { Exited } from '#proto/drydock/agent/v1/agent.ts';
import type { ProcessExited } from '#proto/drydock/v1/process.ts';
import type { ResourceUsage } from '#proto/drydock/v1/resources.ts';
import { signalName } from './signals.ts';

/** The end of a process in the public API. */
export function toExited(exited: Exited): ProcessExited {
  return {
    ...(exited.signal === 0 ? { exitCode: exited.exitCode } : {}),
    signal: signalName(exited.signal),
    usage: toUsage(exited),
    outputStillOpen: exited.outputStillOpen,
  };
}

/** The resource usage of a process in the public API. */
export function toUsage(exited: Exited): ResourceUsage {
  return {
    cpuTime: durationOf(exited.cpuNanoseconds / 1e6),
    wallTime: durationOf(exited.wallNanoseconds / 1e6),
    peakMemoryBytes: exited.peakMemoryBytes,
    oomKills: exited.oomKills,
  };
}
