package dev.drydock;

import com.google.protobuf.ByteString;
import dev.drydock.internal.v1.RunCodeRequest;
import dev.drydock.internal.v1.SourceFile;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What to run: either a language with a source or files, to 10 MiB in all, or a template with a command.
 *
 * @param <T> what the methods return: these options themselves
 */
public abstract sealed class ProgramOptions<T extends ProgramOptions<T>> permits Program, Submission {
  final RunCodeRequest.Builder request = RunCodeRequest.newBuilder();

  ProgramOptions() {}

  abstract T self();

  /**
   * Sets the language.
   *
   * @param language a name of {@link Templates#languages}
   * @return these options
   */
  public T language(String language) {
    request.setLanguage(language);
    return self();
  }

  /**
   * Sets what a command runs in.
   *
   * @param template an id of {@link Templates#list}
   * @return these options
   */
  public T template(String template) {
    request.setTemplate(template);
    return self();
  }

  /**
   * Sets the command of a template.
   *
   * @param command a program and its arguments, run in the directory of the files, without a shell; at most 1,024, 128 KiB in all
   * @return these options
   */
  public T command(List<String> command) {
    request.clearCommand().addAllCommand(command);
    return self();
  }

  /**
   * Sets a program of one file.
   *
   * @param source its text
   * @return these options
   */
  public T source(String source) {
    request.setSource(source);
    return self();
  }

  /**
   * Adds a file.
   *
   * @param name relative, without {@code ..}, to 255 bytes; at most 1,000 files
   * @param text its content
   * @return these options
   */
  public T file(String name, String text) {
    request.addFiles(SourceFile.newBuilder().setName(name).setText(text));
    return self();
  }

  /**
   * Adds a file.
   *
   * @param name relative, without {@code ..}, to 255 bytes; at most 1,000 files
   * @param content its content
   * @return these options
   */
  public T file(String name, byte[] content) {
    request.addFiles(SourceFile.newBuilder().setName(name).setData(ByteString.copyFrom(content)));
    return self();
  }

  /**
   * Sets which of the files to run.
   *
   * @param entrypoint the name of a file; default: the language's own, such as {@code main.py}, else the one with a main method, else
   *     the first
   * @return these options
   */
  public T entrypoint(String entrypoint) {
    request.setEntrypoint(entrypoint);
    return self();
  }

  /**
   * Adds arguments of the compiler.
   *
   * @param options at most 64
   * @return these options
   */
  public T compilerOptions(String... options) {
    request.addAllCompilerOptions(List.of(options));
    return self();
  }

  /**
   * Adds arguments of the program.
   *
   * @param arguments at most 1,024, 128 KiB in all
   * @return these options
   */
  public T arguments(String... arguments) {
    request.addAllArguments(List.of(arguments));
    return self();
  }

  /**
   * Adds a variable of the program, not of its compiler.
   *
   * @param name {@code [A-Za-z_][A-Za-z0-9_]*}; at most 128 variables, 32 KiB in all
   * @param value its value
   * @return these options
   */
  public T environment(String name, String value) {
    request.putEnvironment(name, value);
    return self();
  }

  /**
   * Adds variables of the program, not of its compiler.
   *
   * @param variables by name; at most 128, 32 KiB in all
   * @return these options
   */
  public T environment(Map<String, String> variables) {
    request.putAllEnvironment(variables);
    return self();
  }

  /**
   * Sets standard input.
   *
   * @param text to 10 MiB; default: empty
   * @return these options
   */
  public T stdin(String text) {
    request.setStdin(text);
    return self();
  }

  /**
   * Lets the verdict say whether standard output is the expected one.
   *
   * @param text what is expected; default: exit code 0 is enough
   * @return these options
   */
  public T expectedOutput(String text) {
    request.setExpectedOutput(text);
    return self();
  }

  /**
   * Sets how an output is compared with the expected one.
   *
   * @param comparison default {@link Comparison#TRAILING_SPACE}
   * @return these options
   */
  public T comparison(Comparison comparison) {
    request.setComparison(dev.drydock.internal.v1.Comparison.valueOf(comparison.name()));
    return self();
  }

  /**
   * Takes capital and small letters for the same, whatever the comparison.
   *
   * @return these options
   */
  public T caseInsensitive() {
    request.setCaseInsensitive(true);
    return self();
  }

  /**
   * Sets by how much numbers may differ.
   *
   * @param tolerance of {@link Comparison#FLOAT}, absolute or relative; above 0, at most 1; default 1e-6
   * @return these options
   */
  public T floatTolerance(double tolerance) {
    request.setFloatAbsoluteTolerance(tolerance).setFloatRelativeTolerance(tolerance);
    return self();
  }

  /**
   * Sets what the run may use.
   *
   * @param limits sets those that are not to be the language's
   * @return these options
   */
  public T limits(Consumer<ResourceLimits.Builder> limits) {
    request.setLimits(built(limits));
    return self();
  }

  /**
   * Sets what the compile step may use.
   *
   * @param limits sets wall time, CPU time and output alone; default 30 s, 30 s, 1 MiB
   * @return these options
   */
  public T compileLimits(Consumer<ResourceLimits.Builder> limits) {
    request.setCompileLimits(built(limits));
    return self();
  }

  /**
   * Sets what keeps the execution from the next.
   *
   * @param isolation default: what is offered, {@link Isolation#CELL} first
   * @return these options
   */
  public T isolation(Isolation isolation) {
    request.setIsolation(dev.drydock.internal.v1.Isolation.valueOf(isolation.name()));
    return self();
  }

  /**
   * Adds a test case, instead of input and expected output. Each is run by itself, after one compile step.
   *
   * @param testCase sets input and what is expected; at most 100 test cases, 10 MiB in all, and an hour in all by their time limits
   * @return these options
   */
  public T testCase(Consumer<TestCase> testCase) {
    var given = new TestCase();
    testCase.accept(given);
    request.addTestCases(given.message);
    return self();
  }

  /**
   * Runs no test case after one that was not accepted.
   *
   * @return these options
   */
  public T stopAtFirstFailure() {
    request.setStopAtFirstFailure(true);
    return self();
  }

  /**
   * Lets a program decide whether an output is right, instead of a comparison.
   *
   * @param language of that program
   * @param checker sets its source
   * @return these options
   */
  public T checker(String language, Consumer<Checker> checker) {
    var given = new Checker(language);
    checker.accept(given);
    request.setChecker(given.message);
    return self();
  }

  static dev.drydock.internal.v1.ResourceLimits built(Consumer<ResourceLimits.Builder> limits) {
    var builder = new ResourceLimits.Builder();
    limits.accept(builder);
    return builder.message.build();
  }

  /** One input of a program, and what should come of it. */
  public static final class TestCase {
    final dev.drydock.internal.v1.TestCase.Builder message = dev.drydock.internal.v1.TestCase.newBuilder();

    TestCase() {}

    /**
     * Names the case.
     *
     * @param name given back with the result; to 64 characters
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
     * Sets what standard output should be.
     *
     * @param text what is expected; default: exit code 0 is enough, unless there is a checker
     * @return this test case
     */
    public TestCase expectedOutput(String text) {
      message.setExpectedOutput(text);
      return this;
    }

    /**
     * Sets time, memory and output of this case.
     *
     * @param limits default: those of the program
     * @return this test case
     */
    public TestCase limits(Consumer<ResourceLimits.Builder> limits) {
      message.setLimits(built(limits));
      return this;
    }
  }

  /**
   * A program that decides whether an output is right. Its arguments are files: {@code input}, {@code output} and {@code expected}.
   * Exit code 0 accepts, 1 is a wrong answer, and any other end is {@link Verdict#INTERNAL_ERROR}. It has a source or files, to 1 MiB
   * in all.
   */
  public static final class Checker {
    final dev.drydock.internal.v1.Checker.Builder message = dev.drydock.internal.v1.Checker.newBuilder();

    Checker(String language) {
      message.setLanguage(language);
    }

    /**
     * Sets a program of one file.
     *
     * @param source its text
     * @return this checker
     */
    public Checker source(String source) {
      message.setSource(source);
      return this;
    }

    /**
     * Adds a file.
     *
     * @param name relative, without {@code ..}, to 255 bytes; at most 1,000 files
     * @param text its content
     * @return this checker
     */
    public Checker file(String name, String text) {
      message.addFiles(SourceFile.newBuilder().setName(name).setText(text));
      return this;
    }

    /**
     * Sets which of the files to run.
     *
     * @param entrypoint as of the program
     * @return this checker
     */
    public Checker entrypoint(String entrypoint) {
      message.setEntrypoint(entrypoint);
      return this;
    }

    /**
     * Limits one run by the clock.
     *
     * @param wallTime above 0, to 300 s; default 10 s
     * @return this checker
     */
    public Checker wallTime(Duration wallTime) {
      message.setWallTime(Times.toMessage(Times.positive("wallTime", wallTime)));
      return this;
    }
  }
}
