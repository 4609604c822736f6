import type { AppliedLimits } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { PRELUDE } from './prelude.ts';

/** What stops a hostile program, as the table says it; `evidence.ts` has what is to be seen of it. */
export type Limit =
  | 'processes'
  | 'memory'
  | 'disk'
  | 'CPU time'
  | 'wall time'
  | 'output'
  | 'descriptors'
  | 'file size'
  | 'queued signals'
  | 'locked memory'
  | 'arguments'
  | 'capabilities'
  | 'seccomp filter'
  | 'read-only mounts'
  | 'file rights'
  | 'user namespace'
  | 'PID namespace'
  | 'network namespace'
  | 'IPC namespace'
  | 'end of the program'
  | 'compiler’s limits';

/** Where a program runs: how, and on what. */
export const PLACES = ['cell', 'sandbox', 'live', 'pod', 'live pod', 'gVisor', 'live gVisor'] as const;
export type Place = (typeof PLACES)[number];

/** Of a program: its verdict, or that its live sandbox, of its tenant alone, ended with it. */
export type End = Verdict | 'SANDBOX_STOPPED';

/** How a program may end, and what it may print. */
export type Ending = {
  /** Any of these. A live sandbox limits neither time nor output: there its caller leaves, and the verdict is the one it would be. */
  ends?: readonly End[];
  /** All of its standard output, but for the last line's end. */
  says?: RegExp;
};

export type Program = Ending & {
  name: string;
  stoppedBy: Limit;
  /** Python, which has the names of the prelude. */
  source: string;
  /** Options of the compiler: the source is C++ then, compiled before it is run. */
  compiler?: readonly string[];
  limits?: Partial<AppliedLimits>;
  /** What is otherwise in some places, and why. Without `ends` and `says`, it is not run there. */
  elsewhere?: Partial<Record<Place, Ending & { because: string }>>;
};

/** Errors by which a kernel refuses what it would be harmful to do. */
const REFUSAL = 'E(PERM|ACCES|NOSYS|ROFS|NOENT|SRCH|AFNOSUPPORT|PROTONOSUPPORT|NODEV|NXIO|OPNOTSUPP|NOTSUP)';
export const REFUSED = new RegExp(`^(refused ${REFUSAL}\\n?)+$`);

/** A program that attempts these, each of which is to be refused, and which then ends well. */
export function refused(name: string, stoppedBy: Limit, ...attempts: string[]): Program {
  return { name, stoppedBy, source: attempts.map((attempt) => `attempt(lambda: ${attempt})`).join('\n') };
}

/** A program that repeats this until it is refused, says after how many times, and ends well. */
export function exhausting(name: string, stoppedBy: Limit, attempt: string, prepared = ''): Program {
  return { name, stoppedBy, source: `${prepared}\nexhaust(lambda: ${attempt})`, says: EXHAUSTED };
}

/** Errors by which a limit is told, after some that went well. */
const EXHAUSTED = /^\d+, then E(AGAIN|MFILE|NFILE|NOSPC|NOMEM|DQUOT|NOBUFS|TOOMANYREFS|PERM|MLINK)$/;

/** Why pods let pass what containers of the engine do not. */
export const RUNTIMES_FILTER = 'the filter of a pod is its container runtime’s own, which allows it';
export const SHARED_USER = 'agent and program share a user there';

/** The same in a pod, whether a program or a live sandbox is in it. */
export function inPods(because: string, ending: Ending): NonNullable<Program['elsewhere']> {
  return { pod: { ...ending, because }, 'live pod': { ...ending, because } };
}

/** The same in a sandbox of gVisor, whether a program or a live sandbox is in it. */
export function inGVisor(because: string, ending: Ending): NonNullable<Program['elsewhere']> {
  return { gVisor: { ...ending, because }, 'live gVisor': { ...ending, because } };
}

/** gVisor's kernel is a process of the host. What it gives to programs leads to nothing of the host's. */
export const KERNEL_OF_ITS_OWN = 'its kernel is the sandbox’s own, and has the same for programs alone';
/** Unlike the host's, it lets everybody signal and see the first process whose user they have. */
export const UNGUARDED_AGENT =
  'agent and program share a user there, and its kernel does not guard a first process from those: a program can end or stop its own sandbox';

/** What programs have in files of memory and children that idle is memory of the sandbox, too. */
export const FILLS_ITS_SANDBOX = 'what programs have and leave there is the sandbox’s memory, with which it ends';

/** What gVisor's kernel keeps of programs: it is a process with the memory of the sandbox, and ends where that does. */
export const OF_ITS_KERNEL: ReadonlySet<Limit> = new Set([
  'processes',
  'memory',
  'descriptors',
  'queued signals',
  'disk',
]);
export const ENDS_WITH_ITS_KERNEL: Partial<Record<Place, readonly End[]>> = {
  gVisor: ['RUNTIME_ERROR', 'MEMORY_EXCEEDED', 'CPU_TIME_EXCEEDED', 'WALL_TIME_EXCEEDED'],
  'live gVisor': ['RUNTIME_ERROR', 'MEMORY_EXCEEDED', 'CPU_TIME_EXCEEDED', 'WALL_TIME_EXCEEDED', 'SANDBOX_STOPPED'],
};

/** How else everything that such a limit stops may end in a place. */
export function endsWithItsKernel(stoppedBy: Limit | 'refusal', place: Place): readonly End[] {
  return stoppedBy !== 'refusal' && OF_ITS_KERNEL.has(stoppedBy) ? (ENDS_WITH_ITS_KERNEL[place] ?? []) : [];
}

/** The whole source of a program. */
export function sourceOf({ source, compiler }: Program): string {
  return compiler ? source : `${PRELUDE}\n${source}\n`;
}

/** What is to come of a program in a place; undefined where it is not run there, for the reason that its exception gives. */
export function expectedIn(
  { ends = ['ACCEPTED'], says, stoppedBy, elsewhere }: Program,
  place: Place,
): Required<Ending> | undefined {
  const exception = elsewhere?.[place];
  if (exception && !exception.ends && !exception.says) return undefined;
  const expected = { ends, says: says ?? (ends.includes('ACCEPTED') ? REFUSED : /^/), ...exception };
  return { ends: [...expected.ends, ...endsWithItsKernel(stoppedBy, place)], says: expected.says };
}
