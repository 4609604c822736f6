package dev.drydock;

import org.jspecify.annotations.Nullable;

/**
 * What came of a compile step.
 *
 * @param exitCode null where a signal ended the compiler
 * @param signal the name of that signal, or null
 * @param stdout what the compiler printed
 * @param stderr what the compiler printed to standard error
 * @param stdoutTruncated there was more of {@code stdout}
 * @param stderrTruncated there was more of {@code stderr}
 * @param usage what the compiler used
 * @param cached an earlier compile step of the organisation had made the same; all of this is then of that step
 */
public record CompileResult(
    @Nullable Integer exitCode,
    @Nullable String signal,
    String stdout,
    String stderr,
    boolean stdoutTruncated,
    boolean stderrTruncated,
    @Nullable ResourceUsage usage,
    boolean cached) {
  static CompileResult of(dev.drydock.internal.v1.CompileResult message) {
    return new CompileResult(
        message.hasExitCode() ? message.getExitCode() : null,
        message.getSignal().isEmpty() ? null : message.getSignal(),
        message.getStdout(),
        message.getStderr(),
        message.getStdoutTruncated(),
        message.getStderrTruncated(),
        ResourceUsage.of(message.hasUsage(), message.getUsage()),
        message.getCached());
  }
}
