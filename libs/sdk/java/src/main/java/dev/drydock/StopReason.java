package dev.drydock;

/** Why a sandbox has stopped. */
public enum StopReason {
  /** It was deleted. */
  DELETED,
  /** Its lifetime was over. */
  EXPIRED,
  /** No executor could start it. */
  FAILED_TO_START,
  /** It used more memory than its limit and could not go on. */
  OUT_OF_MEMORY,
  /** The host of its executor went away. */
  HOST_LOST,
  /** The engine or the cluster removed it. */
  EVICTED,
  /** Its first process ended by itself. */
  EXITED,
  /** A value that a newer server has added. */
  UNRECOGNIZED
}
