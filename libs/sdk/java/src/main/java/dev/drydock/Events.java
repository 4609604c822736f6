package dev.drydock;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * What happens, as it happens. It is read once, in a {@code try} with resources: closing it ends what it follows where its maker says
 * so, and always the reading.
 *
 * @param <T> what happens
 */
public final class Events<T> implements Iterable<T>, AutoCloseable {
  /** Gives one event after the other. */
  interface Source<T> {
    /** Null after the last one. */
    @Nullable T next() throws InterruptedException;

    void close();
  }

  private final Source<T> source;

  Events(Source<T> source) {
    this.source = source;
  }

  /** {@return the events that are not read yet; closing the stream closes this too} */
  public Stream<T> stream() {
    return StreamSupport.stream(spliterator(), false).onClose(this::close);
  }

  /** {@return an iterator over the events that are not read yet} */
  @Override
  public Iterator<T> iterator() {
    return iterate(source);
  }

  @Override
  public void close() {
    source.close();
  }

  static <T> Iterator<T> iterate(Source<T> source) {
    return new Iterator<>() {
      private @Nullable T next;

      @Override
      public boolean hasNext() {
        if (next == null) next = read(source);
        return next != null;
      }

      @Override
      public T next() {
        if (!hasNext()) throw new NoSuchElementException();
        var event = next;
        next = null;
        return event;
      }
    };
  }

  private static <T> @Nullable T read(Source<T> source) {
    try {
      return source.next();
    } catch (InterruptedException interrupted) {
      throw CallInterruptedException.restoring(interrupted);
    }
  }
}
