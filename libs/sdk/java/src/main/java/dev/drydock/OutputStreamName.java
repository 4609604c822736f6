package dev.drydock;

/** One of the two outputs of a program. */
public enum OutputStreamName {
  /** Standard output. */
  STDOUT,
  /** Standard error. */
  STDERR;

  String text() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
