package dev.drydock;

import org.jspecify.annotations.Nullable;

/** The answers of a stream, in order. */
interface Messages<A> extends AutoCloseable {
  /** The next one; null after the last one. An interruption leaves the stream as it is. */
  @Nullable A next() throws InterruptedException;

  /** Ends the stream. */
  @Override
  void close();
}
