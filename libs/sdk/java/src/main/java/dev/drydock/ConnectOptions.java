package dev.drydock;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** How a command is joined. */
public final class ConnectOptions {
  @Nullable Offset offset;
  Listeners listeners = Listeners.DEFAULT;

  ConnectOptions() {}

  /**
   * Goes on where another reader was.
   *
   * @param offset as of {@link CommandHandle#offset}; default: all that is kept, to 1 MiB of each output
   * @return these options
   */
  public ConnectOptions offset(Offset offset) {
    this.offset = offset;
    return this;
  }

  /**
   * Hears standard output as it is read. A listener that throws ends the reading, and its reader gets what it threw.
   *
   * @param listener is called with pieces of text, which end at the end of a character
   * @return these options
   */
  public ConnectOptions onStdout(Consumer<String> listener) {
    listeners = listeners.withStdout(event -> listener.accept(event.text()));
    return this;
  }

  /**
   * Hears standard error as it is read. A listener that throws ends the reading, and its reader gets what it threw.
   *
   * @param listener is called with pieces of text, which end at the end of a character
   * @return these options
   */
  public ConnectOptions onStderr(Consumer<String> listener) {
    listeners = listeners.withStderr(event -> listener.accept(event.text()));
    return this;
  }

  /**
   * Limits how much of each output the result keeps, from where the reading begins.
   *
   * @param bytes default 16 MiB (16,777,216)
   * @return these options
   */
  public ConnectOptions keptBytes(int bytes) {
    listeners = listeners.withKeptBytes(bytes);
    return this;
  }
}
