package dev.drydock;

import java.util.function.Consumer;

/** One input of a program, and what should come of it. */
public final class TestCase {
  final dev.drydock.internal.v1.TestCase.Builder message = dev.drydock.internal.v1.TestCase.newBuilder();

  TestCase() {}

  static dev.drydock.internal.v1.TestCase.Builder built(Consumer<TestCase> testCase) {
    var given = new TestCase();
    testCase.accept(given);
    return given.message;
  }

  /**
   * Names the case.
   *
   * @param name given back with the result; to 64 characters, of a test set to 255; default: none
   * @return this test case
   */
  public TestCase name(String name) {
    message.setName(name);
    return this;
  }

  /**
   * Sets standard input.
   *
   * @param text to 10 MiB; default: empty
   * @return this test case
   */
  public TestCase stdin(String text) {
    message.setStdin(text);
    return this;
  }

  /**
   * Sets standard input, instead of {@link #stdin}.
   *
   * @param sha256 of a blob; see {@link Blobs#put(byte[])}
   * @return this test case
   */
  public TestCase stdinBlob(String sha256) {
    message.setStdinBlob(sha256);
    return this;
  }

  /**
   * Sets what standard output should be.
   *
   * @param text what is expected; default: exit code 0 is enough, unless there is a checker or an interactor
   * @return this test case
   */
  public TestCase expectedOutput(String text) {
    message.setExpectedOutput(text);
    return this;
  }

  /**
   * Sets what standard output should be, instead of {@link #expectedOutput}.
   *
   * @param sha256 of a blob, to 10 MiB; see {@link Blobs#put(byte[])}
   * @return this test case
   */
  public TestCase expectedOutputBlob(String sha256) {
    message.setExpectedOutputBlob(sha256);
    return this;
  }

  /**
   * Sets time, memory and output of this case.
   *
   * @param limits default: those of the program
   * @return this test case
   */
  public TestCase limits(Consumer<ResourceLimits.Builder> limits) {
    message.setLimits(ResourceLimits.built(limits));
    return this;
  }

  /**
   * Puts the case in a group. Not of a test set.
   *
   * @param name of one of the program's groups; default: none
   * @return this test case
   */
  public TestCase group(String name) {
    message.setGroup(name);
    return this;
  }

  /**
   * Sets what the case earns when it is accepted. Not of a test set.
   *
   * @param points 0 to 1e9; default: the points of its group, divided by the number of its cases where these are summed; without a
   *     group 0
   * @return this test case
   */
  public TestCase points(double points) {
    message.setPoints(points);
    return this;
  }
}
