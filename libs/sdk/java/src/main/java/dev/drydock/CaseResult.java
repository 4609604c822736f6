package dev.drydock;

import org.jspecify.annotations.Nullable;

/**
 * What came of one test case.
 *
 * @param name as it was given
 * @param verdict null where it was skipped
 * @param exitCode null where a signal ended the program, or where it never ran
 * @param signal the name of that signal, or null
 * @param stdout the first 16 KiB
 * @param stderr the first 16 KiB
 * @param stdoutTruncated there was more of {@code stdout}
 * @param stderrTruncated there was more of {@code stderr}
 * @param usage what the program used; null where it never ran
 * @param message what the checker or the interactor said; why, where it was skipped
 * @param score where the program has points: what the case earned, from 0 to its points; else what a checker gave, or null
 * @param skipped it was not run, because of an earlier case, of its group or of one that its group depends on, or of the compiler
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
    String message,
    @Nullable Double score,
    boolean skipped) {
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
        message.getMessage(),
        message.hasScore() ? message.getScore() : null,
        message.getSkipped());
  }
}
