package dev.drydock;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A list that fetches its pages as it is read, anew by each reader.
 *
 * @param <T> what is listed
 */
public final class Paged<T> implements Iterable<T> {
  record Page<T>(List<T> items, String nextPageToken) {}

  private final Function<String, Page<T>> fetch;

  Paged(Function<String, Page<T>> fetch) {
    this.fetch = fetch;
  }

  /** {@return its items, in order} */
  public Stream<T> stream() {
    return StreamSupport.stream(spliterator(), false);
  }

  @Override
  public Iterator<T> iterator() {
    return new Iterator<>() {
      private Page<T> page = fetch.apply("");
      private int next;

      @Override
      public boolean hasNext() {
        while (next == page.items().size() && !page.nextPageToken().isEmpty()) {
          page = fetch.apply(page.nextPageToken());
          next = 0;
        }
        return next < page.items().size();
      }

      @Override
      public T next() {
        if (!hasNext()) throw new NoSuchElementException();
        return page.items().get(next++);
      }
    };
  }
}
