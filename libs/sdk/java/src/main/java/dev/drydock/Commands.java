package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.ListProcessesRequest;
import dev.drydock.internal.v1.ProcessServiceGrpc;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Commands in one sandbox. One text is run by {@code /bin/sh -c}. A program with its arguments is run as it is, and no shell is
 * involved.
 */
public final class Commands {
  private final Connection connection;
  private final String sandboxId;

  Commands(Connection connection, String sandboxId) {
    this.connection = connection;
    this.sandboxId = sandboxId;
  }

  /**
   * Runs a command to its end, by a shell.
   *
   * @param command run by {@code /bin/sh -c}
   * @return what came of it; a command that fails is a result
   * @throws CallInterruptedException if the thread was interrupted; the command is then killed
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandResult run(String command) {
    return run(command, options -> {});
  }

  /**
   * Runs a command to its end, by a shell.
   *
   * @param command run by {@code /bin/sh -c}
   * @param options sets environment, input, listeners and timeout
   * @return what came of it; a command that fails is a result, unless {@link CommandOptions#check} is set
   * @throws CallInterruptedException if the thread was interrupted; the command is then killed
   * @throws CommandExitException if the exit code is not 0 and {@link CommandOptions#check} was set
   * @throws DrydockTimeoutException if the command ran longer than its timeout
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandResult run(String command, Consumer<CommandOptions> options) {
    return run(shell(command), options);
  }

  /**
   * Runs a program to its end, without a shell.
   *
   * @param program looked up on PATH
   * @param argument the first argument
   * @param arguments those after it; at most 1,024, 128 KiB in all
   * @return what came of it; a command that fails is a result
   * @throws CallInterruptedException if the thread was interrupted; the command is then killed
   * @throws InvalidArgumentException if there is no such program ({@code COMMAND_NOT_FOUND})
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandResult run(String program, String argument, String... arguments) {
    var command = new ArrayList<>(List.of(program, argument));
    command.addAll(List.of(arguments));
    return run(command);
  }

  /**
   * Runs a program to its end, without a shell.
   *
   * @param command a program and its arguments; at most 1,024, 128 KiB in all
   * @return what came of it; a command that fails is a result
   * @throws CallInterruptedException if the thread was interrupted; the command is then killed
   * @throws InvalidArgumentException if there is no such program ({@code COMMAND_NOT_FOUND})
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandResult run(List<String> command) {
    return run(command, options -> {});
  }

  /**
   * Runs a program to its end, without a shell.
   *
   * @param command a program and its arguments; at most 1,024, 128 KiB in all
   * @param options sets environment, input, listeners and timeout
   * @return what came of it; a command that fails is a result, unless {@link CommandOptions#check} is set
   * @throws CallInterruptedException if the thread was interrupted; the command is then killed
   * @throws CommandExitException if the exit code is not 0 and {@link CommandOptions#check} was set
   * @throws DrydockTimeoutException if the command ran longer than its timeout
   * @throws InvalidArgumentException if there is no such program ({@code COMMAND_NOT_FOUND})
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandResult run(List<String> command, Consumer<CommandOptions> options) {
    try (var handle = start(command, options)) {
      try {
        return handle.await();
      } catch (CallInterruptedException interrupted) {
        handle.end(interrupted);
        throw interrupted;
      }
    }
  }

  /**
   * Runs a command, by a shell. As {@link #run(String)}.
   *
   * @param command run by {@code /bin/sh -c}
   * @return what comes of it; cancelling the future kills the command
   */
  public CompletableFuture<CommandResult> runAsync(String command) {
    return runAsync(shell(command), options -> {});
  }

  /**
   * Runs a command, by a shell. As {@link #run(String, Consumer)}.
   *
   * @param command run by {@code /bin/sh -c}
   * @param options sets environment, input, listeners and timeout
   * @return what comes of it; cancelling the future kills the command
   */
  public CompletableFuture<CommandResult> runAsync(String command, Consumer<CommandOptions> options) {
    return runAsync(shell(command), options);
  }

  /**
   * Runs a program, without a shell. As {@link #run(List, Consumer)}.
   *
   * @param command a program and its arguments; at most 1,024, 128 KiB in all
   * @param options sets environment, input, listeners and timeout
   * @return what comes of it; cancelling the future kills the command
   */
  public CompletableFuture<CommandResult> runAsync(List<String> command, Consumer<CommandOptions> options) {
    return Futures.run(connection.link().executor(), () -> run(command, options));
  }

  /**
   * Starts a command, by a shell.
   *
   * @param command run by {@code /bin/sh -c}
   * @return the command, whose output waits to be read
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandHandle start(String command) {
    return start(shell(command), options -> {});
  }

  /**
   * Starts a command, by a shell.
   *
   * @param command run by {@code /bin/sh -c}
   * @param options sets environment, input, listeners and timeout
   * @return the command, whose output waits to be read
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandHandle start(String command, Consumer<CommandOptions> options) {
    return start(shell(command), options);
  }

  /**
   * Starts a program, without a shell.
   *
   * @param command a program and its arguments; at most 1,024, 128 KiB in all
   * @return the command, whose output waits to be read
   * @throws InvalidArgumentException if there is no such program ({@code COMMAND_NOT_FOUND})
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandHandle start(List<String> command) {
    return start(command, options -> {});
  }

  /**
   * Starts a program, without a shell.
   *
   * @param command a program and its arguments; at most 1,024, 128 KiB in all
   * @param options sets environment, input, listeners and timeout
   * @return the command, whose output waits to be read
   * @throws InvalidArgumentException if there is no such program ({@code COMMAND_NOT_FOUND})
   * @throws SandboxNotRunningException if the sandbox has stopped
   */
  public CommandHandle start(List<String> command, Consumer<CommandOptions> options) {
    var given = new CommandOptions();
    options.accept(given);
    given.request.clearCommand().addAllCommand(command);
    return new ProcessStart(connection, sandboxId, given.request).run(given.listeners, given.timeout, given.check);
  }

  /**
   * Joins a command, and replays what is kept of its output: to 1 MiB of each stream.
   *
   * @param id of the command
   * @return the command
   * @throws NotFoundException if the sandbox has no such command
   */
  public CommandHandle connect(String id) {
    return connect(id, options -> {});
  }

  /**
   * Joins a command: replays what is kept of its output, or goes on at an offset.
   *
   * @param id of the command
   * @param options sets offset and listeners
   * @return the command; its reader gets an {@link OutputLostException} where what comes next is no longer kept
   * @throws NotFoundException if the sandbox has no such command
   */
  public CommandHandle connect(String id, Consumer<ConnectOptions> options) {
    var given = new ConnectOptions();
    options.accept(given);
    var info =
        list().stream()
            .filter(each -> each.id().equals(id))
            .findFirst()
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "the sandbox has no command " + id, ErrorDetails.of("PROCESS_NOT_FOUND")));
    var events = new ProcessStream(connection, sandboxId, id, given.offset, null);
    return new CommandHandle(connection, sandboxId, id, info.pid(), events, given.listeners, false, false);
  }

  /**
   * Lists commands.
   *
   * @return those that run, or ended within the last minute; oldest first
   */
  public List<CommandInfo> list() {
    var request = ListProcessesRequest.newBuilder().setSandboxId(sandboxId).build();
    var answer = connection.unary(ProcessServiceGrpc.getListProcessesMethod(), request, Kind.SAFE);
    return answer.getProcessesList().stream().map(CommandInfo::of).toList();
  }

  static List<String> shell(String command) {
    return List.of("/bin/sh", "-c", command);
  }
}
