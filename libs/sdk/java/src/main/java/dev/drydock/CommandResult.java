package dev.drydock;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What came of a command.
 *
 * @param stdout standard output as text; bytes that are not UTF-8 are replaced
 * @param stderr standard error as text; bytes that are not UTF-8 are replaced
 * @param exitCode 0 to 255; null where a signal ended the program
 * @param signal the name of that signal, such as {@code SIGKILL}; null where the program ended by itself
 * @param duration how long it ran
 * @param usage what it used; null where the platform could not measure it
 * @param truncated an output is not whole: there was more than {@link CommandOptions#keptBytes}
 */
public record CommandResult(
    String stdout,
    String stderr,
    @Nullable Integer exitCode,
    @Nullable String signal,
    Duration duration,
    @Nullable ResourceUsage usage,
    boolean truncated) {
  /** {@return whether the exit code is 0} */
  public boolean success() {
    return exitCode != null && exitCode == 0;
  }
}
