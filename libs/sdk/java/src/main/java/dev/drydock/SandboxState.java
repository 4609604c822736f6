package dev.drydock;

/** Where a sandbox is in its life. */
public enum SandboxState {
  /** It is being made. */
  PENDING,
  /** It can be used. */
  RUNNING,
  /** It keeps what it has, and runs nothing. */
  PAUSED,
  /** It is gone with everything in it. */
  STOPPED,
  /** A value that a newer server has added. */
  UNRECOGNIZED
}
