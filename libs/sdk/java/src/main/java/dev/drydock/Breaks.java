package dev.drydock;

import java.time.Duration;

/**
 * Counts how often a stream breaks that is then joined again: at most ten times since it brought something new, or lasted half a
 * minute.
 */
final class Breaks {
  private static final int MAX_BREAKS = 10;
  private static final long LASTING_NANOS = Duration.ofSeconds(30).toNanos();

  private final Connection connection;
  private int breaks;
  private long joinedAt = System.nanoTime();

  Breaks(Connection connection) {
    this.connection = connection;
  }

  /** The stream brought something new. */
  void reset() {
    breaks = 0;
  }

  /**
   * Returns when to join the stream again, the first time at once. Throws what broke it where that will not pass, or breaks it too
   * often.
   */
  void await(DrydockException broken) throws InterruptedException {
    if (System.nanoTime() - joinedAt > LASTING_NANOS) breaks = 0;
    breaks += 1;
    if (!(broken instanceof UnavailableException) || breaks > MAX_BREAKS) throw broken;
    if (breaks > 1) connection.pause(Retries.waitAfter(breaks - 1, broken));
    joinedAt = System.nanoTime();
  }
}
