package dev.drydock;

import dev.drydock.internal.v1.TerminalSize;
import java.util.function.Consumer;

/** Terminals in one sandbox. */
public final class Pty {
  private final Connection connection;
  private final String sandboxId;

  Pty(Connection connection, String sandboxId) {
    this.connection = connection;
    this.sandboxId = sandboxId;
  }

  /**
   * Starts a shell on a terminal.
   *
   * @param rows 1 to 1,000
   * @param columns 1 to 1,000
   * @return the terminal; closing it kills the shell
   * @throws InvalidArgumentException if the size is out of range
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public Terminal create(int rows, int columns) {
    return create(rows, columns, options -> {});
  }

  /**
   * Starts a program, by default a shell, on a terminal. Its output is read at once, for {@link PtyOptions#onData}.
   *
   * @param rows 1 to 1,000
   * @param columns 1 to 1,000
   * @param options sets program, environment, listener and timeout
   * @return the terminal; closing it kills the program
   * @throws InvalidArgumentException if the size is out of range, or there is no such program ({@code COMMAND_NOT_FOUND})
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public Terminal create(int rows, int columns, Consumer<PtyOptions> options) {
    var given = new PtyOptions();
    options.accept(given);
    given.request.setTerminal(TerminalSize.newBuilder().setRows(rows).setColumns(columns));
    var start = new ProcessStart(connection, sandboxId, given.request);
    return new Terminal(start.run(given.listeners, given.timeout, false));
  }
}
