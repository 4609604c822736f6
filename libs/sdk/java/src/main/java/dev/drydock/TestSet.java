package dev.drydock;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The cases of a problem, and how programs are judged by them. It never changes.
 *
 * @param id {@code tst_} and 26 characters
 * @param name as its maker called it; several test sets may have the same
 * @param version as its maker called it; empty where there is none
 * @param createTime when it was made
 * @param caseCount how many cases it has
 * @param sizeBytes of inputs and expected outputs together
 * @param cases in the order in which they are run; empty in a list
 * @param comparison null for the default
 * @param floatTolerance by how much numbers may differ; null for the default
 * @param caseInsensitive capital and small letters are the same
 * @param groups of test cases that earn points together; empty in a list
 * @param checker decides instead of the comparison; null where there is none, and in a list
 * @param interactor talks with the program; null where there is none, and in a list
 * @param limits what an execution has whose own limits do not say otherwise
 * @param compileLimits the same of the compile step
 * @param timeMultipliers by language: what times of limits and of cases are multiplied by
 */
public record TestSet(
    String id,
    String name,
    String version,
    @Nullable Instant createTime,
    int caseCount,
    long sizeBytes,
    List<CaseInfo> cases,
    @Nullable Comparison comparison,
    @Nullable Double floatTolerance,
    boolean caseInsensitive,
    List<GroupInfo> groups,
    @Nullable CheckerInfo checker,
    @Nullable CheckerInfo interactor,
    ResourceLimits limits,
    ResourceLimits compileLimits,
    Map<String, Double> timeMultipliers) {
  static TestSet of(dev.drydock.internal.v1.TestSet message) {
    return new TestSet(
        message.getId(),
        message.getName(),
        message.getVersion(),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()),
        message.getCaseCount(),
        message.getSizeBytes(),
        message.getCasesList().stream().map(CaseInfo::of).toList(),
        Enums.toSet(Comparison.class, message.getComparison(), Comparison.UNRECOGNIZED),
        message.hasFloatTolerance() ? message.getFloatTolerance() : null,
        message.getCaseInsensitive(),
        message.getGroupsList().stream().map(GroupInfo::of).toList(),
        message.hasChecker() ? CheckerInfo.of(message.getChecker()) : null,
        message.hasInteractor() ? CheckerInfo.of(message.getInteractor()) : null,
        ResourceLimits.of(message.getLimits()),
        ResourceLimits.of(message.getCompileLimits()),
        Map.copyOf(message.getTimeMultipliersMap()));
  }

  /**
   * One case of a test set.
   *
   * @param name given back with the result; may be empty
   * @param stdinBlob the SHA-256 of its input; empty where it has none
   * @param expectedOutputBlob the SHA-256 of what is expected; empty where nothing is
   * @param limits its own; what is absent is that of the test set
   * @param group the name of its group; empty where it has none
   * @param points what it earns; null for the default
   */
  public record CaseInfo(
      String name,
      String stdinBlob,
      String expectedOutputBlob,
      ResourceLimits limits,
      String group,
      @Nullable Double points) {
    static CaseInfo of(dev.drydock.internal.v1.TestCase message) {
      return new CaseInfo(
          message.getName(),
          message.getStdinBlob(),
          message.getExpectedOutputBlob(),
          ResourceLimits.of(message.getLimits()),
          message.getGroup(),
          message.hasPoints() ? message.getPoints() : null);
    }
  }

  /**
   * A group of test cases.
   *
   * @param name to which cases and other groups refer
   * @param points the most that it earns; null for what its cases can earn
   * @param aggregation how its cases make its score; empty for the default
   * @param onFailure what a case that scored nothing means for those after it; empty for the default
   * @param dependsOn names of groups that are run before it
   */
  public record GroupInfo(
      String name, @Nullable Double points, String aggregation, String onFailure, List<String> dependsOn) {
    static GroupInfo of(dev.drydock.internal.v1.TestGroup message) {
      return new GroupInfo(
          message.getName(),
          message.hasPoints() ? message.getPoints() : null,
          message.getAggregationValue() == 0 ? "" : message.getAggregation().name(),
          message.getOnFailureValue() == 0 ? "" : message.getOnFailure().name(),
          List.copyOf(message.getDependsOnList()));
    }
  }

  /**
   * The checker or the interactor of a test set.
   *
   * @param language what it is written in
   * @param source its text, where it is one file; else empty
   * @param files the names of its files
   * @param entrypoint which of the files is run; empty for the language's own
   * @param wallTime of one run; null for the default
   * @param protocol null for the default
   * @param arguments what it gets after the arguments of the protocol
   */
  public record CheckerInfo(
      String language,
      String source,
      List<String> files,
      String entrypoint,
      @Nullable Duration wallTime,
      Checker.@Nullable Protocol protocol,
      List<String> arguments) {
    static CheckerInfo of(dev.drydock.internal.v1.Interactor message) {
      return of(Executions.copy(message.toBuilder(), dev.drydock.internal.v1.Checker.newBuilder()).build());
    }

    static CheckerInfo of(dev.drydock.internal.v1.Checker message) {
      return new CheckerInfo(
          message.getLanguage(),
          message.getSource(),
          message.getFilesList().stream().map(file -> file.getName()).toList(),
          message.getEntrypoint(),
          message.hasWallTime() ? Times.toDuration(message.getWallTime()) : null,
          Enums.toSet(Checker.Protocol.class, message.getProtocol(), Checker.Protocol.UNRECOGNIZED),
          List.copyOf(message.getArgumentsList()));
    }
  }
}
