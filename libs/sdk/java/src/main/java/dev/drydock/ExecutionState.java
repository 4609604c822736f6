package dev.drydock;

/** Where an execution is in its life. */
public enum ExecutionState {
  /** It waits for its turn. */
  QUEUED,
  /** It is compiled or run. */
  RUNNING,
  /** It has a verdict. */
  FINISHED,
  /** It was cancelled, and has no verdict. */
  CANCELLED,
  /** A value that a newer server has added. */
  UNRECOGNIZED
}
