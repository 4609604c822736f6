import dev.drydock.Drydock;
import dev.drydock.Verdict;
import java.time.Duration;

/** Judges a submission in C++ by test cases, and shows what came of each. */
final class Judge {
  private static final String SOURCE =
      """
      #include <iostream>
      int main() { long long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }
      """;

  public static void main(String[] arguments) {
    try (var drydock = Drydock.create()) {
      var job =
          drydock
              .executions()
              .submit(
                  submission ->
                      submission
                          .language("cpp")
                          .source(SOURCE)
                          .testCase(test -> test.name("small").stdin("1 2").expectedOutput("3"))
                          .testCase(
                              test -> test.name("large").stdin("4000000000 4000000000").expectedOutput("8000000000"))
                          .limits(limits -> limits.cpuTime(Duration.ofSeconds(2)).memoryBytes(256 * 1024 * 1024)));
      var execution = job.await();
      if (execution.verdict() == Verdict.COMPILE_ERROR) System.out.println(execution.compile().stderr());
      for (var result : execution.cases()) System.out.println(result.name() + " " + result.verdict());
      System.out.println(execution.verdict());
    }
  }
}
