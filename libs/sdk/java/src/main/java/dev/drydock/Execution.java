package dev.drydock;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One program, run to a verdict.
 *
 * @param id {@code exe_} and 26 characters
 * @param state where it is in its life
 * @param verdict null until it has one
 * @param language as submitted
 * @param template what it runs in
 * @param exitCode null where a signal ended the program, or where it never ran
 * @param signal the name of that signal, such as {@code SIGSEGV}, or null
 * @param stdout all of it where the program was run now, else the first 256 KiB; bytes that are not UTF-8 are replaced; empty
 *     where there are test cases
 * @param stderr as {@code stdout}
 * @param stdoutTruncated there was more of {@code stdout}; {@link Job#output} has the rest
 * @param stderrTruncated there was more of {@code stderr}
 * @param stdoutInvalidUtf8 bytes of {@code stdout} were replaced
 * @param stderrInvalidUtf8 bytes of {@code stderr} were replaced
 * @param compile of compiled languages, else null
 * @param usage what the program used; null where it never ran
 * @param createTime when it was asked for
 * @param startTime when it was begun; null before
 * @param finishTime when it ended; null before
 * @param message why, in words, where the verdict is {@code INTERNAL_ERROR}; what the checker printed, where there are no test cases
 * @param cases one for each test case, in their order
 * @param attempts how many times it was begun; more than 1 where a host was lost under it
 * @param priority as submitted
 * @param score where the program has points: those of its groups, and of its cases without a group, when it has ended; else null
 * @param maxScore the most that {@code score} could have been; null without points
 * @param groups one for each group, in their order
 */
public record Execution(
    String id,
    ExecutionState state,
    @Nullable Verdict verdict,
    String language,
    String template,
    @Nullable Integer exitCode,
    @Nullable String signal,
    String stdout,
    String stderr,
    boolean stdoutTruncated,
    boolean stderrTruncated,
    boolean stdoutInvalidUtf8,
    boolean stderrInvalidUtf8,
    @Nullable CompileResult compile,
    @Nullable ResourceUsage usage,
    @Nullable Instant createTime,
    @Nullable Instant startTime,
    @Nullable Instant finishTime,
    String message,
    List<CaseResult> cases,
    int attempts,
    int priority,
    @Nullable Double score,
    @Nullable Double maxScore,
    List<GroupResult> groups) {
  static Execution of(dev.drydock.internal.v1.Execution message) {
    return new Execution(
        message.getId(),
        Enums.toKnown(ExecutionState.class, message.getState(), ExecutionState.UNRECOGNIZED),
        Enums.toSet(Verdict.class, message.getVerdict(), Verdict.UNRECOGNIZED),
        message.getLanguage(),
        message.getTemplate(),
        message.hasExitCode() ? message.getExitCode() : null,
        message.getSignal().isEmpty() ? null : message.getSignal(),
        message.getStdout(),
        message.getStderr(),
        message.getStdoutTruncated(),
        message.getStderrTruncated(),
        message.getStdoutInvalidUtf8(),
        message.getStderrInvalidUtf8(),
        message.hasCompile() ? CompileResult.of(message.getCompile()) : null,
        ResourceUsage.of(message.hasUsage(), message.getUsage()),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()),
        Times.toInstant(message.hasStartTime(), message.getStartTime()),
        Times.toInstant(message.hasFinishTime(), message.getFinishTime()),
        message.getMessage(),
        message.getCasesList().stream().map(CaseResult::of).toList(),
        message.getAttempts(),
        message.getPriority(),
        message.hasScore() ? message.getScore() : null,
        message.hasMaxScore() ? message.getMaxScore() : null,
        message.getGroupsList().stream().map(GroupResult::of).toList());
  }
}
