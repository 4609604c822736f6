import dev.drydock.Drydock;

/** Runs a program, and says what became of it. */
final class Hello {
  public static void main(String[] arguments) {
    try (var drydock = Drydock.create()) {
      var execution = drydock.run("python", "print(6 * 7)");
      System.out.println(execution.verdict() + " " + execution.stdout().strip());
      System.err.println(execution.usage());
    }
  }
}
