package scenarios;

import dev.drydock.Drydock;
import dev.drydock.Sandbox;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A program of a user, which ends by itself: a client keeps no process alive. */
final class HelloProgram {
  private HelloProgram() {}

  record Output(int exitCode, String text) {}

  public static void main(String[] arguments) {
    if (arguments.length == 0) {
      System.out.println(Drydock.create().run("python", "print(42)").stdout().strip());
      return;
    }
    var commands = Sandbox.connect(arguments[0]).commands();
    System.out.println(commands.run("echo in time", options -> options.timeout(Duration.ofHours(1))).stdout().strip());
  }

  /** Runs it in a process with this environment alone. */
  static Output run(Map<String, String> environment, String... arguments) throws IOException, InterruptedException {
    var java = ProcessHandle.current().info().command().orElseThrow();
    var command = new java.util.ArrayList<>(List.of(java, "-XX:TieredStopAtLevel=1", "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.add(HelloProgram.class.getName());
    command.addAll(List.of(arguments));
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().clear();
    builder.environment().putAll(new HashMap<>(Map.of("HOME", "/nowhere")));
    builder.environment().putAll(environment);
    var process = builder.start();
    process.getOutputStream().close();
    var text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    return new Output(process.waitFor(), text);
  }
}
