package dev.drydock;

/** What keeps one execution from the next. */
public enum Isolation {
  /** Fresh namespaces inside a sandbox of the organisation. */
  CELL,
  /** A sandbox of its own, destroyed afterwards. */
  SANDBOX
}
