package dev.drydock;

/** What came of an execution. */
public enum Verdict {
  /** Exit code 0, and the expected output where one was given. */
  ACCEPTED,
  /** The output is not the expected one. */
  WRONG_ANSWER,
  /** It used more CPU time than its limit. */
  CPU_TIME_EXCEEDED,
  /** It ran longer than its limit by the clock. */
  WALL_TIME_EXCEEDED,
  /** It used more memory than its limit. */
  MEMORY_EXCEEDED,
  /** It wrote more than its limit. */
  OUTPUT_EXCEEDED,
  /** A signal, or an exit code other than 0. */
  RUNTIME_ERROR,
  /** The compiler refused it. */
  COMPILE_ERROR,
  /** It was cancelled. */
  CANCELLED,
  /** The platform failed, not the program; running it again may help. */
  INTERNAL_ERROR,
  /** A value that a newer server has added. */
  UNRECOGNIZED
}
