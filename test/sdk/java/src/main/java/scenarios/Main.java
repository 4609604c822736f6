package scenarios;

import com.google.gson.Gson;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs every scenario, several at once, and prints a line of JSON for each that ends. */
final class Main {
  private static final int AT_ONCE = 6;
  private static final int LIMIT_SECONDS = 120;

  private Main() {}

  private record End(String id, long milliseconds, String error) {}

  public static void main(String[] arguments) throws InterruptedException {
    var scenarios = new LinkedHashMap<String, Scenario>();
    // The slowest begin first.
    scenarios.putAll(FaultScenarios.ALL);
    scenarios.putAll(ClientScenarios.ALL);
    scenarios.putAll(SandboxScenarios.ALL);
    scenarios.putAll(CommandScenarios.ALL);
    scenarios.putAll(ProgramScenarios.ALL);
    scenarios.putAll(JudgingScenarios.ALL);
    scenarios.putAll(OrganizationScenarios.ALL);
    if (arguments.length > 0) scenarios.keySet().retainAll(java.util.List.of(arguments));
    var limited = Executors.newCachedThreadPool();
    var places = Executors.newFixedThreadPool(AT_ONCE);
    scenarios.forEach((id, scenario) -> places.execute(() -> print(run(id, limited.submit(task(scenario))))));
    places.shutdown();
    places.awaitTermination(1, TimeUnit.HOURS);
    limited.shutdownNow();
    System.exit(0);
  }

  private static java.util.concurrent.Callable<Void> task(Scenario scenario) {
    return () -> {
      scenario.run();
      return null;
    };
  }

  private static End run(String id, Future<Void> scenario) {
    var began = System.nanoTime();
    String error = null;
    try {
      scenario.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException late) {
      scenario.cancel(true);
      error = "not over after " + LIMIT_SECONDS + " s";
    } catch (Exception failure) {
      error = trace(failure.getCause() == null ? failure : failure.getCause());
    }
    return new End(id, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began), error);
  }

  private static synchronized void print(End end) {
    System.out.println(new Gson().toJson(end, End.class));
  }

  private static String trace(Throwable error) {
    var text = new StringWriter();
    error.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  static Map<String, Scenario> scenarios(Object... pairs) {
    var scenarios = new LinkedHashMap<String, Scenario>();
    for (var at = 0; at < pairs.length; at += 2) scenarios.put((String) pairs[at], (Scenario) pairs[at + 1]);
    return scenarios;
  }
}
