package dev.drydock;

import com.google.protobuf.ByteString;
import dev.drydock.internal.v1.RunCodeRequest;
import dev.drydock.internal.v1.SourceFile;
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
   * Adds a file whose content is a blob, to 256 MiB.
   *
   * @param name relative, without {@code ..}, to 255 bytes; at most 1,000 files
   * @param sha256 of the blob, as {@link Blobs} answers it
   * @return these options
   */
  public T blobFile(String name, String sha256) {
    request.addFiles(SourceFile.newBuilder().setName(name).setBlob(sha256));
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
    request.setComparison(comparison.toMessage());
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
   * Sets how far numbers may be apart.
   *
   * @param tolerance of {@link Comparison#FLOAT}; 0 to 1e9; default 1e-6, or 0 where only the relative tolerance is set
   * @return these options
   */
  public T floatAbsoluteTolerance(double tolerance) {
    request.setFloatAbsoluteTolerance(tolerance);
    return self();
  }

  /**
   * Sets how far numbers may be apart, as a part of the expected one.
   *
   * @param tolerance of {@link Comparison#FLOAT}; 0 to 1; default 1e-6, or 0 where only the absolute tolerance is set
   * @return these options
   */
  public T floatRelativeTolerance(double tolerance) {
    request.setFloatRelativeTolerance(tolerance);
    return self();
  }

  /**
   * Sets both tolerances, where neither is set by itself.
   *
   * @param tolerance above 0, at most 1
   * @return these options
   * @deprecated {@link #floatAbsoluteTolerance} and {@link #floatRelativeTolerance} say which of them is meant
   */
  @Deprecated
  public T floatTolerance(double tolerance) {
    request.setFloatTolerance(tolerance);
    return self();
  }

  /**
   * Sets what the run may use.
   *
   * @param limits sets those that are not to be the language's
   * @return these options
   */
  public T limits(Consumer<ResourceLimits.Builder> limits) {
    request.setLimits(ResourceLimits.built(limits));
    return self();
  }

  /**
   * Sets what the compile step may use.
   *
   * @param limits sets wall time, CPU time and output alone; default 30 s, 30 s, 1 MiB
   * @return these options
   */
  public T compileLimits(Consumer<ResourceLimits.Builder> limits) {
    request.setCompileLimits(ResourceLimits.built(limits));
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
    request.addTestCases(TestCase.built(testCase));
    return self();
  }

  /**
   * Adds a group of test cases, which earn points together and name it by {@link TestCase#group}.
   *
   * @param name 1 to 64 characters, once in a program; at most 100 groups, each of which has a case
   * @param group sets its points, and how its cases make its score
   * @return these options
   */
  public T group(String name, Consumer<TestGroup> group) {
    request.addGroups(TestGroup.built(name, group));
    return self();
  }

  /**
   * Lets a test set judge the program, instead of test cases and of all that says how they are judged.
   *
   * @param id of the test set; see {@link TestSets#create}
   * @return these options
   */
  public T testSet(String id) {
    request.setTestSet(id);
    return self();
  }

  /**
   * Runs test cases side by side, as far as there is room, with the same results in the same order. {@link Executions#stream} runs
   * them one after the other.
   *
   * @param testCases the most at one time; 1 to 16, default 1
   * @return these options
   */
  public T parallelism(int testCases) {
    request.setParallelism(testCases);
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
    request.setChecker(Checker.built(language, checker));
    return self();
  }

  /**
   * Lets a program talk with this one, instead of a checker and a comparison: what one prints, the other reads. The input and the
   * expected output of a case are its own, as files. Exit codes are those of a checker, and messages and points are printed to
   * standard error.
   *
   * @param language of that program
   * @param interactor sets its source
   * @return these options
   */
  public T interactor(String language, Consumer<Checker> interactor) {
    request.setInteractor(Checker.interactor(language, interactor));
    return self();
  }

  /**
   * Keeps the first 64 KiB of the talk with an interactor, for {@link Job#output} of {@link OutputStreamName#TRANSCRIPT}.
   *
   * @return these options
   */
  public T keepTranscript() {
    request.setKeepTranscript(true);
    return self();
  }
}
