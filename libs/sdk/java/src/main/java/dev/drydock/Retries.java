package dev.drydock;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** Which failures pass, and how long to wait for that. */
final class Retries {
  private static final long FIRST_WAIT_MILLIS = 100;
  private static final long LONGEST_WAIT_MILLIS = 2_000;
  private static final int MAX_DOUBLINGS = 10;

  private Retries() {}

  /** Whether a call that failed with this may succeed when it is made again. */
  static boolean isPassing(DrydockException error) {
    if (error instanceof UnavailableException) return true;
    var refused = error instanceof NoCapacityException || error instanceof QuotaExceededException;
    return refused && error.retryAfter() != null;
  }

  /** The wait after try number {@code tries} (from 1): as the platform asked, else twice as long each time; a part of it by chance. */
  static Duration waitAfter(int tries, DrydockException error) {
    var growing = Math.min(LONGEST_WAIT_MILLIS, FIRST_WAIT_MILLIS << Math.min(tries - 1, MAX_DOUBLINGS));
    var chance = Duration.ofMillis((long) (ThreadLocalRandom.current().nextDouble() * growing / 2));
    var asked = error.retryAfter();
    return (asked == null ? Duration.ofMillis(growing / 2) : asked).plus(chance);
  }
}
