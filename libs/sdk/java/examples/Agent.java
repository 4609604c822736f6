import dev.drydock.Sandbox;
import java.time.Duration;
import java.util.List;

/** The loop of an agent: it writes a program, runs its test, and mends the program until the test passes. */
final class Agent {
  /** In place of a model: each answer is the next try. */
  private static final List<String> TRIES =
      List.of("def add(a, b): return a", "def add(a, b): return a + b");

  private static final String TEST =
      """
      from program import add
      assert add(2, 3) == 5, "add(2, 3) is not 5"
      print("passed")
      """;

  public static void main(String[] arguments) {
    try (var sandbox = Sandbox.create("python", options -> options.lifetime(Duration.ofMinutes(10)))) {
      sandbox.files().write("test.py", TEST);
      for (var at = 0; at < TRIES.size(); at++) {
        sandbox.files().write("program.py", TRIES.get(at));
        var result =
            sandbox
                .commands()
                .run(List.of("python3", "test.py"), options -> options.timeout(Duration.ofSeconds(30)));
        var said = result.success() ? result.stdout() : result.stderr();
        System.out.println("try " + (at + 1) + ": " + said.strip().lines().reduce("", (before, line) -> line));
        if (result.success()) break;
      }
    }
  }
}
