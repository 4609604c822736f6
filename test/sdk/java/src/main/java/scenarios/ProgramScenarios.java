package scenarios;

import dev.drydock.BatchResult;
import dev.drydock.CaseResult;
import dev.drydock.Drydock;
import dev.drydock.Execution;
import dev.drydock.ExecutionState;
import dev.drydock.InvalidArgumentException;
import dev.drydock.Job;
import dev.drydock.NotFoundException;
import dev.drydock.OutputStreamName;
import dev.drydock.RunEvent;
import dev.drydock.Submission;
import dev.drydock.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Programs, now and in the queue. */
final class ProgramScenarios {
  private ProgramScenarios() {}

  static final Map<String, Scenario> ALL =
      Main.scenarios(
          "hello", (Scenario) ProgramScenarios::hello,
          "program-fails", (Scenario) ProgramScenarios::programFails,
          "compile-error", (Scenario) ProgramScenarios::compileError,
          "program-killed-by-limit", (Scenario) ProgramScenarios::programKilledByLimit,
          "program-files", (Scenario) ProgramScenarios::programFiles,
          "judge", (Scenario) ProgramScenarios::judge,
          "program-streamed", (Scenario) ProgramScenarios::programStreamed,
          "program-cancelled", (Scenario) ProgramScenarios::programCancelled,
          "unknown-language", (Scenario) ProgramScenarios::unknownLanguage,
          "queue", (Scenario) ProgramScenarios::queue,
          "queue-watch", (Scenario) ProgramScenarios::queueWatch,
          "queue-cancel", (Scenario) ProgramScenarios::queueCancel,
          "queue-batch", (Scenario) ProgramScenarios::queueBatch,
          "queue-list", (Scenario) ProgramScenarios::queueList,
          "queue-output", (Scenario) ProgramScenarios::queueOutput);

  private static final Drydock DRYDOCK = Tenant.OPERATOR;
  private static final String SQUARE = "print(int(input()) ** 2)";
  private static final String SLEEP = "import time\nprint('up', flush=True)\ntime.sleep(60)";
  private static final String NOBODY = "exe_01jv0000000000000000000000";

  private static void hello() {
    var execution = DRYDOCK.run("python", "print(6 * 7)");
    Checks.equal(Verdict.ACCEPTED, execution.verdict());
    Checks.equal("42\n", execution.stdout());
    Checks.equal(0, execution.exitCode());
    Checks.that(execution.usage().wallTime().compareTo(Duration.ZERO) > 0, execution.usage());
  }

  private static void programFails() throws Exception {
    var execution = DRYDOCK.runAsync("python", "import sys; sys.exit('broken')").get();
    Checks.equal(Verdict.RUNTIME_ERROR, execution.verdict());
    Checks.equal(1, execution.exitCode());
    Checks.equal("broken\n", execution.stderr());
  }

  private static void compileError() {
    var execution = DRYDOCK.run("c", "int main() { return x; }");
    Checks.equal(Verdict.COMPILE_ERROR, execution.verdict());
    Checks.equal(1, execution.compile().exitCode());
    Checks.contains("undeclared", execution.compile().stderr());
  }

  private static void programKilledByLimit() {
    var execution =
        DRYDOCK.run(
            "python",
            "while True: pass",
            program -> program.limits(limits -> limits.cpuTime(Duration.ofMillis(300)).wallTime(Duration.ofSeconds(5))));
    Checks.equal(Verdict.CPU_TIME_EXCEEDED, execution.verdict());
  }

  private static void programFiles() {
    var main =
        """
        import os, sys, other
        print(other.NAME, sys.argv[1:], os.environ["COLOUR"], input(), open("data.bin", "rb").read())
        """;
    var execution =
        DRYDOCK
            .executions()
            .run(
                program ->
                    program
                        .language("python")
                        .file("main.py", main)
                        .file("other.py", "NAME = 'other'")
                        .file("data.bin", new byte[] {0, (byte) 255})
                        .arguments("a b")
                        .environment("COLOUR", "blue")
                        .stdin("line\n"));
    Checks.equal("other ['a b'] blue line b'\\x00\\xff'\n", execution.stdout());
  }

  private static void judge() {
    var execution =
        DRYDOCK.run(
            "python",
            SQUARE,
            program ->
                program
                    .testCase(test -> test.name("right").stdin("3").expectedOutput("9"))
                    .testCase(test -> test.name("wrong").stdin("3").expectedOutput("8")));
    Checks.equal(Verdict.WRONG_ANSWER, execution.verdict());
    var cases = execution.cases();
    Checks.equal(List.of("right", "wrong"), cases.stream().map(CaseResult::name).toList());
    Checks.equal(
        List.of(Verdict.ACCEPTED, Verdict.WRONG_ANSWER), cases.stream().map(CaseResult::verdict).toList());
    Checks.equal("9\n", cases.get(1).stdout());
  }

  private static void programStreamed() {
    var seen = new ArrayList<String>();
    // In one piece each: output is not held back until its line ends.
    var source = "import os, time\nfor i in range(3): os.write(1, b'%d\\n' % i); time.sleep(0.2)";
    try (var events = DRYDOCK.executions().stream(program -> program.language("python").source(source))) {
      for (var event : events) {
        if (event instanceof RunEvent.Stdout output) seen.add(output.text());
        if (event instanceof RunEvent.Finished finished) seen.add(finished.execution().stdout());
      }
    }
    Checks.equal(List.of("0\n", "1\n", "2\n", "0\n1\n2\n"), seen);
  }

  private static void programCancelled() throws Exception {
    try (var tenant = Tenant.open()) {
      var executions = tenant.drydock().executions();
      try (var events = executions.stream(program -> program.language("python").source(SLEEP))) {
        Checks.that(events.stream().anyMatch(event -> event instanceof RunEvent.Stdout), "the program prints");
      }
      Callable<?> states = () -> executions.list().stream().map(Execution::state).toList();
      Checks.eventually(List.of(ExecutionState.CANCELLED), states);
      var run = tenant.drydock().runAsync("python", SLEEP);
      Checks.eventually(2L, () -> executions.list().stream().count());
      run.cancel(true);
      Checks.eventually(List.of(ExecutionState.CANCELLED, ExecutionState.CANCELLED), states);
    }
  }

  private static void unknownLanguage() {
    var error = Checks.fails(InvalidArgumentException.class, () -> DRYDOCK.run("latin", "x"));
    Checks.equal("LANGUAGE_NOT_FOUND", error.reason());
  }

  private static void queue() {
    var job =
        DRYDOCK
            .executions()
            .submit(program -> program.language("python").source(SQUARE).stdin("5").expectedOutput("25"));
    var execution = job.await();
    Checks.equal(job.id(), execution.id());
    Checks.equal(ExecutionState.FINISHED, execution.state());
    Checks.equal(Verdict.ACCEPTED, execution.verdict());
    Checks.fails(NotFoundException.class, () -> DRYDOCK.executions().job(NOBODY).await());
  }

  private static void queueWatch() {
    var job = submit("import time; time.sleep(0.5)");
    try (var states = job.watch()) {
      var seen = states.stream().map(Execution::state).toList();
      Checks.equal(ExecutionState.FINISHED, seen.get(seen.size() - 1));
      Checks.that(List.of(ExecutionState.QUEUED, ExecutionState.RUNNING).contains(seen.get(0)), seen);
    }
  }

  private static void queueCancel() {
    var job = submit(SLEEP);
    Checks.equal(ExecutionState.CANCELLED, job.cancel().state());
    Checks.equal(ExecutionState.CANCELLED, job.await().state());
  }

  private static void queueBatch() {
    var submissions =
        IntStream.range(0, 99)
            .mapToObj(i -> Submission.of("python", SQUARE).stdin(String.valueOf(i)))
            .collect(Collectors.toCollection(ArrayList::new));
    submissions.add(Submission.of("latin", "x"));
    var results = DRYDOCK.executions().batch(submissions);
    Checks.that(
        results.get(99) instanceof BatchResult.Refused refused
            && refused.error().reason().equals("LANGUAGE_NOT_FOUND"),
        results.get(99));
    var jobs = results.subList(0, 99).stream().map(result -> ((BatchResult.Queued) result).job()).toList();
    var ends = jobs.stream().map(Job::awaitAsync).toList();
    for (var i = 0; i < ends.size(); i++) Checks.equal(i * i + "\n", ends.get(i).join().stdout());
  }

  private static void queueList() {
    try (var tenant = Tenant.open()) {
      var executions = tenant.drydock().executions();
      var submissions =
          Stream.generate(() -> Submission.of("python", "print(1)").priority(1)).limit(60).toList();
      var ids =
          executions.batch(submissions).stream().map(each -> ((BatchResult.Queued) each).job().id()).sorted().toList();
      Checks.equal(ids, executions.list().stream().map(Execution::id).sorted().toList());
      Checks.equal(7L, executions.list().stream().limit(7).count());
    }
  }

  private static void queueOutput() {
    var job = submit("import sys\nsys.stdout.buffer.write(b'\\xff' + b'x' * 400_000)");
    var execution = job.await();
    Checks.that(execution.stdoutTruncated() && execution.stdoutInvalidUtf8(), execution.id());
    var bytes = job.output(OutputStreamName.STDOUT);
    Checks.equal(400_001, bytes.length);
    Checks.equal((byte) 255, bytes[0]);
  }

  private static Job submit(String source) {
    return DRYDOCK.executions().submit(program -> program.language("python").source(source));
  }
}
