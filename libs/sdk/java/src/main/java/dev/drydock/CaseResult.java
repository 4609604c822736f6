package dev.drydock;

import org.jspecify.annotations.Nullable;

/**
 * What came of one test case.
 *
 * @param name as it was given
 * @param verdict null where an earlier failure stopped the run
 * @param exitCode null where a signal ended the program, or where it never ran
 * @param signal the name of that signal, or null
 * @param stdout the first 16 KiB
 * @param stderr the first 16 KiB
 * @param stdoutTruncated there was more of {@code stdout}
 * @param stderrTruncated there was more of {@code stderr}
 * @param usage what the program used; null where it never ran
 * @param message what the checker printed
 */
public record CaseResult(
    String name,
    @Nullable Verdict verdict,
    @Nullable Integer exitCode,
    @Nullable String signal,
    String stdout,
    String stderr,
    boolean stdoutTruncated,
    boolean stderrTruncated,
    @Nullable ResourceUsage usage,
    String message) {
  static CaseResult of(dev.drydock.internal.v1.CaseResult message) {
    return new CaseResult(
        message.getName(),
        Enums.toSet(Verdict.class, message.getVerdict(), Verdict.UNRECOGNIZED),
        message.hasExitCode() ? message.getExitCode() : null,
        message.getSignal().isEmpty() ? null : message.getSignal(),
        message.getStdout(),
        message.getStderr(),
        message.getStdoutTruncated(),
        message.getStderrTruncated(),
        ResourceUsage.of(message.hasUsage(), message.getUsage()),
        message.getMessage());
  }
}
