import type { End, Limit, Place } from './program.ts';

/** By which errors or verdicts each limit shows, of which a program that it stops has at least one. */
const EVIDENCE: Partial<Record<Limit, RegExp>> = {
  processes: /EAGAIN|WALL_TIME_EXCEEDED|MEMORY_EXCEEDED/,
  memory: /MEMORY_EXCEEDED|TIME_EXCEEDED|ENOSPC|COMPILE_ERROR|RUNTIME_ERROR/,
  'locked memory': /ENOMEM/,
  'CPU time': /TIME_EXCEEDED/,
  'wall time': /WALL_TIME_EXCEEDED|COMPILE_ERROR/,
  output: /OUTPUT_EXCEEDED|COMPILE_ERROR/,
  descriptors: /EMFILE|EADDRINUSE|EPERM|ETOOMANYREFS|ENOSPC|MEMORY_EXCEEDED|TIME_EXCEEDED/,
  'file size': /EFBIG/,
  'queued signals': /EAGAIN|TIME_EXCEEDED/,
  arguments: /E2BIG|INVALID_FIELD/,
  capabilities: /EPERM|EACCES|EINVAL/,
  'seccomp filter': /EPERM|ENOSYS|EAFNOSUPPORT|RUNTIME_ERROR/,
  'read-only mounts': /EROFS|EACCES|ENOENT|INVALID_FIELD|DENIED/,
  'file rights': /EACCES|EPERM|ENOENT|ELOOP|DENIED|NOT_FOUND|COMPILE_ERROR/,
};

/** The kernels of which the errors are: gVisor's own refuses otherwise. */
const OTHER_KERNELS: readonly Place[] = ['gVisor', 'live gVisor'];

/**
 * What a program that a limit stops has to show of it, in its verdict or in the errors that it prints. Undefined where nothing can be
 * seen: the program is let do as it likes, and what it prints, or the next program, proves that it was for nothing.
 */
export function evidenceOf(limit: Limit, place: Place, outcome: { verdict: End; stdout: string }): RegExp | undefined {
  if (OTHER_KERNELS.includes(place) || shownBy(outcome) === '') return undefined;
  return EVIDENCE[limit];
}

/** The verdict, or the errors that were printed; empty where a program ended well and none was. */
export function shownBy({ verdict, stdout }: { verdict: End; stdout: string }): string {
  if (verdict !== 'ACCEPTED') return verdict;
  const codes = [...new Set(stdout.match(/\bE[A-Z0-9]{3,}\b|^[A-Z_]{8,}$/g))];
  return codes.slice(0, 3).join(' ');
}
