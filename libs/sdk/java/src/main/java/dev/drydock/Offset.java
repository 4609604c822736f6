package dev.drydock;

/**
 * Where a reader of a command is.
 *
 * @param stdout bytes of standard output that were read
 * @param stderr bytes of standard error that were read
 */
public record Offset(long stdout, long stderr) {
  static final Offset START = new Offset(0, 0);
}
