package dev.drydock;

import com.google.protobuf.ByteString;
import dev.drydock.internal.v1.StartProcessRequest;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Options of a command. */
public final class CommandOptions {
  final StartProcessRequest.Builder request = StartProcessRequest.newBuilder();
  Listeners listeners = Listeners.DEFAULT;
  @Nullable Duration timeout;
  boolean check;

  CommandOptions() {}

  /**
   * Adds a variable to those of the sandbox.
   *
   * @param name {@code [A-Za-z_][A-Za-z0-9_]*}; at most 128 variables, 32 KiB in all
   * @param value its value
   * @return these options
   */
  public CommandOptions environment(String name, String value) {
    request.putEnvironment(name, value);
    return this;
  }

  /**
   * Adds variables to those of the sandbox.
   *
   * @param variables by name; at most 128, 32 KiB in all
   * @return these options
   */
  public CommandOptions environment(Map<String, String> variables) {
    request.putAllEnvironment(variables);
    return this;
  }

  /**
   * Sets where the program runs.
   *
   * @param directory absolute, or relative to the home; default: the home
   * @return these options
   */
  public CommandOptions workingDirectory(String directory) {
    request.setWorkingDirectory(directory);
    return this;
  }

  /**
   * Gives the command its standard input, which is then closed.
   *
   * @param text to 1 MiB
   * @return these options
   */
  public CommandOptions stdin(String text) {
    request.setStdin(ByteString.copyFromUtf8(text));
    return this;
  }

  /**
   * Gives the command its standard input, which is then closed.
   *
   * @param bytes to 1 MiB
   * @return these options
   */
  public CommandOptions stdin(byte[] bytes) {
    request.setStdin(ByteString.copyFrom(bytes));
    return this;
  }

  /**
   * Keeps standard input open for {@link CommandHandle#stdin}.
   *
   * @return these options
   */
  public CommandOptions openStdin() {
    request.setOpenStdin(true);
    return this;
  }

  /**
   * Limits how long the command may run, whether or not it is read. Then it is killed, and its reader gets a
   * {@link DrydockTimeoutException}.
   *
   * @param timeout from its start; null, the default, for none but the lifetime of the sandbox
   * @return these options
   */
  public CommandOptions timeout(@Nullable Duration timeout) {
    this.timeout = timeout == null ? null : Times.positive("timeout", timeout);
    return this;
  }

  /**
   * Throws {@link CommandExitException} at the end of a command whose exit code is not 0.
   *
   * @return these options
   */
  public CommandOptions check() {
    check = true;
    return this;
  }

  /**
   * Hears standard output as it is read. A listener that throws ends the command, and its reader gets what it threw.
   *
   * @param listener is called with pieces of text, which end at the end of a character
   * @return these options
   */
  public CommandOptions onStdout(Consumer<String> listener) {
    listeners = listeners.withStdout(event -> listener.accept(event.text()));
    return this;
  }

  /**
   * Hears standard error as it is read. A listener that throws ends the command, and its reader gets what it threw.
   *
   * @param listener is called with pieces of text, which end at the end of a character
   * @return these options
   */
  public CommandOptions onStderr(Consumer<String> listener) {
    listeners = listeners.withStderr(event -> listener.accept(event.text()));
    return this;
  }

  /**
   * Limits how much of each output the result keeps, from its start.
   *
   * @param bytes default 16 MiB (16,777,216)
   * @return these options
   */
  public CommandOptions keptBytes(int bytes) {
    listeners = listeners.withKeptBytes(bytes);
    return this;
  }
}
