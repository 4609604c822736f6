package dev.drydock;

import dev.drydock.internal.v1.StartProcessRequest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Options of a terminal. */
public final class PtyOptions {
  final StartProcessRequest.Builder request =
      StartProcessRequest.newBuilder().addCommand("/bin/sh").putEnvironment("TERM", "xterm-256color");
  Listeners listeners = Listeners.DEFAULT;
  @Nullable Duration timeout;

  PtyOptions() {}

  /**
   * Adds a variable to those of the sandbox, and to {@code TERM=xterm-256color}.
   *
   * @param name {@code [A-Za-z_][A-Za-z0-9_]*}; at most 128 variables, 32 KiB in all
   * @param value its value
   * @return these options
   */
  public PtyOptions environment(String name, String value) {
    request.putEnvironment(name, value);
    return this;
  }

  /**
   * Adds variables to those of the sandbox, and to {@code TERM=xterm-256color}.
   *
   * @param variables by name; at most 128, 32 KiB in all
   * @return these options
   */
  public PtyOptions environment(Map<String, String> variables) {
    request.putAllEnvironment(variables);
    return this;
  }

  /**
   * Sets where the program runs.
   *
   * @param directory absolute, or relative to the home; default: the home
   * @return these options
   */
  public PtyOptions workingDirectory(String directory) {
    request.setWorkingDirectory(directory);
    return this;
  }

  /**
   * Sets what runs on the terminal.
   *
   * @param command run by {@code /bin/sh -c}; default: a shell
   * @return these options
   */
  public PtyOptions command(String command) {
    return command(Commands.shell(command));
  }

  /**
   * Sets what runs on the terminal.
   *
   * @param command a program and its arguments; at most 1,024, 128 KiB in all; default: a shell
   * @return these options
   */
  public PtyOptions command(List<String> command) {
    request.clearCommand().addAllCommand(command);
    return this;
  }

  /**
   * Hears all that the terminal shows. A listener that throws ends the program, and {@link Terminal#await} throws the same.
   *
   * @param listener is called with pieces of what is shown
   * @return these options
   */
  public PtyOptions onData(Consumer<byte[]> listener) {
    listeners = listeners.withStdout(event -> listener.accept(event.data()));
    return this;
  }

  /**
   * Limits how long the program may run. Then it is killed, and {@link Terminal#await} throws {@link DrydockTimeoutException}.
   *
   * @param timeout from its start; null, the default, for none but the lifetime of the sandbox
   * @return these options
   */
  public PtyOptions timeout(@Nullable Duration timeout) {
    this.timeout = timeout == null ? null : Times.positive("timeout", timeout);
    return this;
  }
}
