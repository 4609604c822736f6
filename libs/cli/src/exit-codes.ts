/** What `drydock` exits with where it is not the code of a program. */
export const EXIT = {
  ok: 0,
  /** Something that was waited for did not succeed: a verdict that is not ACCEPTED, a check of `doctor`. */
  unsuccessful: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A limit of time ended the program. */
  timeLimit: 124,
  /** Drydock could not do what was asked: no connection, no permission, no such thing, quota. */
  failed: 125,
  /** The program did not compile. */
  notCompiled: 126,
  /** The sandbox has no such command. */
  noCommand: 127,
} as const;

/** Of the signals that end programs, by name. */
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGSYS: 31,
};

/** As a shell tells it: the program's own code, or 128 and the number of its signal. */
export function exitCodeOf({ exitCode, signal }: { exitCode: number | null; signal: string | null }): number {
  return exitCode ?? 128 + (SIGNALS[signal ?? ''] ?? 0);
}
