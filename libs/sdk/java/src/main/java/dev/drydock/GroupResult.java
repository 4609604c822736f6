package dev.drydock;

import org.jspecify.annotations.Nullable;

/**
 * What came of a group of test cases.
 *
 * @param name as it was given
 * @param verdict that of its first case that was not accepted; null where no case of it was run, or the others were skipped
 * @param score what it earned
 * @param maxScore the most that it could have earned
 */
public record GroupResult(String name, @Nullable Verdict verdict, double score, double maxScore) {
  static GroupResult of(dev.drydock.internal.v1.GroupResult message) {
    return new GroupResult(
        message.getName(),
        Enums.toSet(Verdict.class, message.getVerdict(), Verdict.UNRECOGNIZED),
        message.getScore(),
        message.getMaxScore());
  }
}
