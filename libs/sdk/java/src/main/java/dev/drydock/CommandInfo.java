package dev.drydock;

import dev.drydock.internal.v1.Process;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A command, as the platform told of it.
 *
 * @param id {@code prc_} and 26 characters
 * @param pid the process id inside of the sandbox
 * @param command the program and its arguments
 * @param startTime when it was started
 * @param running whether it has not ended
 * @param exitCode null while it runs, and where a signal ended it
 * @param signal the name of the signal that ended it, or null
 * @param usage null while it runs
 */
public record CommandInfo(
    String id,
    int pid,
    List<String> command,
    @Nullable Instant startTime,
    boolean running,
    @Nullable Integer exitCode,
    @Nullable String signal,
    @Nullable ResourceUsage usage) {
  static CommandInfo of(Process message) {
    var exited = message.getExited();
    return new CommandInfo(
        message.getId(),
        message.getPid(),
        List.copyOf(message.getCommandList()),
        Times.toInstant(message.hasStartTime(), message.getStartTime()),
        !message.hasExited(),
        exited.hasExitCode() ? exited.getExitCode() : null,
        exited.getSignal().isEmpty() ? null : exited.getSignal(),
        ResourceUsage.of(exited.hasUsage(), exited.getUsage()));
  }
}
