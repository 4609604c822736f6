package dev.drydock;

import dev.drydock.internal.v1.CreateTestSetRequest;
import java.util.function.Consumer;

/** The cases of a new test set, and how programs are judged by them. */
public final class TestSetOptions {
  final CreateTestSetRequest.Builder request = CreateTestSetRequest.newBuilder();

  TestSetOptions() {}

  /**
   * Tells it from others of its name.
   *
   * @param version to 128 characters; default: none
   * @return these options
   */
  public TestSetOptions version(String version) {
    request.setVersion(version);
    return this;
  }

  /**
   * Adds a test case.
   *
   * @param testCase sets input and what is expected, its group and points; 1 to 1,000 test cases, text to 10 MiB in all, the
   *     rest as blobs
   * @return these options
   */
  public TestSetOptions testCase(Consumer<TestCase> testCase) {
    request.addCases(TestCase.built(testCase));
    return this;
  }

  /**
   * Sets how an output is compared with the expected one.
   *
   * @param comparison default {@link Comparison#TRAILING_SPACE}
   * @return these options
   */
  public TestSetOptions comparison(Comparison comparison) {
    request.setComparison(comparison.toMessage());
    return this;
  }

  /**
   * Sets by how much numbers may differ.
   *
   * @param tolerance of {@link Comparison#FLOAT}, absolute or relative; above 0, at most 1; default 1e-6
   * @return these options
   */
  public TestSetOptions floatTolerance(double tolerance) {
    request.setFloatTolerance(tolerance);
    return this;
  }

  /**
   * Takes capital and small letters for the same, whatever the comparison.
   *
   * @return these options
   */
  public TestSetOptions caseInsensitive() {
    request.setCaseInsensitive(true);
    return this;
  }

  /**
   * Lets a program decide whether an output is right, instead of a comparison.
   *
   * @param language of that program
   * @param checker sets its source
   * @return these options
   */
  public TestSetOptions checker(String language, Consumer<Checker> checker) {
    request.setChecker(Checker.built(language, checker));
    return this;
  }

  /**
   * Lets a program talk with the one that is judged, as {@link ProgramOptions#interactor}.
   *
   * @param language of that program
   * @param interactor sets its source
   * @return these options
   */
  public TestSetOptions interactor(String language, Consumer<Checker> interactor) {
    request.setInteractor(Checker.interactor(language, interactor));
    return this;
  }

  /**
   * Adds a group of test cases, which earn points together and name it by {@link TestCase#group}.
   *
   * @param name 1 to 64 characters, once in a test set; at most 100 groups, each of which has a case
   * @param group sets its points, and how its cases make its score
   * @return these options
   */
  public TestSetOptions group(String name, Consumer<TestGroup> group) {
    request.addGroups(TestGroup.built(name, group));
    return this;
  }

  /**
   * Sets what the run of a program may use.
   *
   * @param limits what an execution has whose own limits do not say otherwise
   * @return these options
   */
  public TestSetOptions limits(Consumer<ResourceLimits.Builder> limits) {
    request.setLimits(ResourceLimits.built(limits));
    return this;
  }

  /**
   * Sets what the compile step of a program may use.
   *
   * @param limits wall time, CPU time and output alone: what an execution has whose own limits do not say otherwise
   * @return these options
   */
  public TestSetOptions compileLimits(Consumer<ResourceLimits.Builder> limits) {
    request.setCompileLimits(ResourceLimits.built(limits));
    return this;
  }

  /**
   * Multiplies the times of {@link #limits} and of cases for one language.
   *
   * @param language a name of {@link Templates#languages}
   * @param multiplier above 0, to 100; default 1
   * @return these options
   */
  public TestSetOptions timeMultiplier(String language, double multiplier) {
    request.putTimeMultipliers(language, multiplier);
    return this;
  }
}
