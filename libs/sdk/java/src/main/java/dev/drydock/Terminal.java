package dev.drydock;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** A program on a terminal. Closing it kills the program. */
public final class Terminal implements AutoCloseable {
  private final CommandHandle handle;
  private final OutputStream input;
  private final CompletableFuture<CommandResult> end;

  Terminal(CommandHandle handle) {
    this.handle = handle;
    this.input = handle.stdin();
    this.end = handle.awaitAsync();
  }

  /** {@return {@code prc_} and 26 characters} */
  public String id() {
    return handle.id();
  }

  /** {@return the process id inside of the sandbox} */
  public int pid() {
    return handle.pid();
  }

  /**
   * Types a text.
   *
   * @param text what is typed
   */
  public void write(String text) {
    write(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Types bytes.
   *
   * @param bytes what is typed
   */
  public void write(byte[] bytes) {
    try {
      input.write(bytes);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /**
   * Changes its size.
   *
   * @param rows 1 to 1,000
   * @param columns 1 to 1,000
   */
  public void resize(int rows, int columns) {
    handle.resize(rows, columns);
  }

  /**
   * Waits for the end of the program. An interruption ends the waiting, not the program.
   *
   * @return what came of it; {@code stdout} has what the terminal showed first
   * @throws DrydockTimeoutException if the program ran longer than its timeout, and was killed
   */
  public CommandResult await() {
    try {
      return end.get();
    } catch (InterruptedException interrupted) {
      throw CallInterruptedException.restoring(interrupted);
    } catch (ExecutionException error) {
      if (error.getCause() instanceof RuntimeException cause) throw cause;
      throw new IllegalStateException(error);
    }
  }

  /**
   * Ends the program with everything that it started.
   *
   * @return whether it still ran
   */
  public boolean kill() {
    return handle.kill();
  }

  /**
   * Sends a signal.
   *
   * @param signal its name, such as {@code SIGTERM}
   * @return whether the program still ran
   */
  public boolean kill(String signal) {
    return handle.kill(signal);
  }

  /** Kills the program, whose output is then read to its end. */
  @Override
  public void close() {
    handle.kill();
  }
}
