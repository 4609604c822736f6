package scenarios;

import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Callable;

/** What is held of what came of a call. */
final class Checks {
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final Duration BETWEEN = Duration.ofMillis(50);

  private Checks() {}

  static void equal(Object expected, Object actual) {
    if (!Objects.equals(expected, actual)) throw new AssertionError("expected " + expected + ", not " + actual);
  }

  static void that(boolean holds, Object shown) {
    if (!holds) throw new AssertionError("not so: " + shown);
  }

  static void contains(String part, String text) {
    that(text != null && text.contains(part), "'" + text + "' contains '" + part + "'");
  }

  /** The exception of this class that a call throws. */
  static <E extends Exception> E fails(Class<E> type, Scenario call) {
    try {
      call.run();
    } catch (Exception error) {
      if (type.isInstance(error)) return type.cast(error);
      throw new AssertionError("expected " + type.getSimpleName() + ", not " + error, error);
    }
    throw new AssertionError("expected " + type.getSimpleName() + ", and nothing was thrown");
  }

  /** Waits for a change that other parts make by themselves. */
  static void eventually(Object expected, Callable<?> asked) throws Exception {
    var until = System.nanoTime() + PATIENCE.toNanos();
    for (; ; ) {
      var actual = asked.call();
      if (Objects.equals(expected, actual)) return;
      if (System.nanoTime() > until) equal(expected, actual);
      Thread.sleep(BETWEEN.toMillis());
    }
  }
}
