package scenarios;

import dev.drydock.CaseResult;
import dev.drydock.Checker.Protocol;
import dev.drydock.Drydock;
import dev.drydock.GroupResult;
import dev.drydock.InvalidArgumentException;
import dev.drydock.NotFoundException;
import dev.drydock.OutputStreamName;
import dev.drydock.Program;
import dev.drydock.TestGroup.Aggregation;
import dev.drydock.TestSet;
import dev.drydock.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Points, talks, and data that is kept for many programs. */
final class JudgingScenarios {
  private JudgingScenarios() {}

  static final Map<String, Scenario> ALL =
      Main.scenarios(
          "points", (Scenario) JudgingScenarios::points,
          "interactive", (Scenario) JudgingScenarios::interactive,
          "blob", (Scenario) JudgingScenarios::blob,
          "test-set", (Scenario) JudgingScenarios::testSet,
          "test-set-import", (Scenario) JudgingScenarios::testSetImport);

  private static final Drydock DRYDOCK = Tenant.OPERATOR;
  private static final String SQUARE = "print(int(input()) ** 2)";
  private static final int BLOB_BYTES = 3 * 1024 * 1024;
  private static final String GUESSES =
      """
      low, high = 1, 100
      while True:
          guess = (low + high) // 2
          print(guess, flush=True)
          answer = input()
          if answer == "right": break
          if answer == "more": low = guess + 1
          else: high = guess - 1
      """;
  private static final String HOLDS =
      """
      import sys
      held = int(open(sys.argv[1]).read())
      for line in sys.stdin:
          guess = int(line)
          print("right" if guess == held else "more" if guess < held else "less", flush=True)
          if guess == held: sys.exit(42)
      sys.exit(43)
      """;

  private static void points() {
    Consumer<Program> options =
        program ->
            program
                .group("all", group -> group.points(10))
                .group("each", group -> group.points(6).aggregation(Aggregation.SUM))
                .testCase(test -> test.group("all").stdin("3").expectedOutput("9"))
                .testCase(test -> test.group("each").stdin("4").expectedOutput("16"))
                .testCase(test -> test.group("each").stdin("5").expectedOutput("24"))
                .parallelism(2);
    var execution = DRYDOCK.run("python", SQUARE, options);
    Checks.equal(Verdict.WRONG_ANSWER, execution.verdict());
    Checks.equal(13.0, execution.score());
    Checks.equal(16.0, execution.maxScore());
    Checks.equal(
        List.of(
            new GroupResult("all", Verdict.ACCEPTED, 10, 10), new GroupResult("each", Verdict.WRONG_ANSWER, 3, 6)),
        execution.groups());
    Checks.equal(List.of(3.0, 0.0), execution.cases().stream().skip(1).map(CaseResult::score).toList());
    Consumer<Program> circle =
        program ->
            program
                .group("a", group -> group.dependsOn("b"))
                .group("b", group -> group.dependsOn("a"))
                .testCase(test -> test.group("a"))
                .testCase(test -> test.group("b"));
    var error = Checks.fails(InvalidArgumentException.class, () -> DRYDOCK.run("python", SQUARE, circle));
    Checks.contains("dependsOn", error.fieldViolations().toString());
  }

  private static void interactive() {
    var job =
        DRYDOCK
            .executions()
            .submit(
                program ->
                    program
                        .language("python")
                        .source(GUESSES)
                        .stdin("37")
                        .interactor("python", interactor -> interactor.source(HOLDS).protocol(Protocol.KATTIS))
                        .keepTranscript());
    Checks.equal(Verdict.ACCEPTED, job.await().verdict());
    var transcript = new String(job.output(OutputStreamName.TRANSCRIPT), StandardCharsets.UTF_8);
    Checks.that(transcript.startsWith("< 50\n> less\n"), transcript);
    Checks.that(transcript.endsWith("< 37\n> right\n"), transcript);
  }

  private static void blob() {
    var blobs = DRYDOCK.blobs();
    var content = new byte[BLOB_BYTES];
    new Random().nextBytes(content);
    var blob = blobs.put(content);
    Checks.equal((long) BLOB_BYTES, blob.sizeBytes());
    Checks.that(Arrays.equals(content, blobs.read(blob.sha256())), "the bytes are read as they were put");
    var missing = "0".repeat(64);
    var stat = blobs.stat(List.of(missing, blob.sha256()));
    Checks.equal(List.of(blob), stat.blobs());
    Checks.equal(List.of(missing), stat.missing());
    var execution =
        DRYDOCK.run(
            "python",
            "import sys; print(len(sys.stdin.buffer.read()))",
            program ->
                program.testCase(
                    test -> test.stdinBlob(blob.sha256()).expectedOutputBlob(blobs.put(BLOB_BYTES + "\n").sha256())));
    Checks.equal(Verdict.ACCEPTED, execution.verdict());
    Checks.equal(BLOB_BYTES + "\n", execution.cases().get(0).stdout());
    var counts = "print(len(open('data', 'rb').read()))";
    var counted =
        DRYDOCK
            .executions()
            .run(
                program ->
                    program.language("python").file("main.py", counts).blobFile("data", blob.sha256()));
    Checks.equal(BLOB_BYTES + "\n", counted.stdout());
    var error = Checks.fails(NotFoundException.class, () -> blobs.read(missing));
    Checks.equal("BLOB_NOT_FOUND", error.reason());
  }

  private static void testSet() {
    var testSets = DRYDOCK.testSets();
    var name = "squares " + UUID.randomUUID();
    var made =
        testSets.create(
            name,
            options ->
                options
                    .version("2")
                    .testCase(test -> test.name("small").stdin("3").expectedOutput("9"))
                    .testCase(test -> test.name("large").stdin("40").expectedOutput("1600")));
    Checks.equal(2, made.caseCount());
    Checks.equal(List.of("small ACCEPTED", "large ACCEPTED"), judgedBy(made));
    Checks.equal(made, testSets.get(made.id()));
    Checks.equal(List.of(made.id()), testSets.list(name).stream().map(TestSet::id).toList());
    testSets.delete(made.id());
    var error = Checks.fails(NotFoundException.class, () -> testSets.get(made.id()));
    Checks.equal("TEST_SET_NOT_FOUND", error.reason());
  }

  private static void testSetImport() throws IOException {
    var files = new TreeMap<>(Map.of("1.in", "3\n", "1.ans", "9\n", "2.in", "4\n", "2.ans", "16\n"));
    var imported = DRYDOCK.testSets().importPackage(zipOf(files), options -> options.name("pairs").version("1"));
    Checks.equal("pairs 1", imported.testSet().name() + " " + imported.testSet().version());
    Checks.equal(List.of(), imported.notes());
    Checks.equal(List.of("1 ACCEPTED", "2 ACCEPTED"), judgedBy(imported.testSet()));
    var error =
        Checks.fails(
            InvalidArgumentException.class,
            () -> DRYDOCK.testSets().importPackage("no zip".getBytes(StandardCharsets.UTF_8), options -> options.name("broken")));
    Checks.equal("PACKAGE_INVALID", error.reason());
  }

  /** Name and verdict of each case of a submission that has its source alone. */
  private static List<String> judgedBy(TestSet testSet) {
    var job =
        DRYDOCK.executions().submit(program -> program.language("python").source(SQUARE).testSet(testSet.id()));
    return job.await().cases().stream().map(result -> result.name() + " " + result.verdict()).toList();
  }

  private static byte[] zipOf(Map<String, String> files) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (var zip = new ZipOutputStream(bytes)) {
      for (var file : files.entrySet()) {
        zip.putNextEntry(new ZipEntry(file.getKey()));
        zip.write(file.getValue().getBytes(StandardCharsets.UTF_8));
      }
    }
    return bytes.toByteArray();
  }
}
