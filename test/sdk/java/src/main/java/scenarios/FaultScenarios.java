package scenarios;

import dev.drydock.CommandEvent;
import dev.drydock.CommandInfo;
import dev.drydock.ExecutionState;
import dev.drydock.SandboxInfo;
import dev.drydock.Verdict;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Connections that break, and gateways that are killed. */
final class FaultScenarios {
  private FaultScenarios() {}

  static final Map<String, Scenario> ALL =
      Main.scenarios(
          "connection-cut-command", (Scenario) FaultScenarios::connectionCutCommand,
          "connection-cut-queue", (Scenario) FaultScenarios::connectionCutQueue,
          "answer-lost", (Scenario) FaultScenarios::answerLost,
          "gateway-killed", (Scenario) FaultScenarios::gatewayKilled);

  private static final int LINES = 60;
  private static final List<String> COUNT =
      List.of(
          "python3",
          "-c",
          "import time\nfor i in range(%d): print(i, 'x' * 2000, flush=True); time.sleep(0.03)".formatted(LINES));
  private static final String COUNTED =
      IntStream.range(0, LINES).mapToObj(i -> i + " " + "x".repeat(2_000) + "\n").collect(Collectors.joining());

  private static void connectionCutCommand() {
    try (var proxy = Controls.proxy();
        var tenant = Tenant.at(proxy.url());
        var handle = tenant.sandbox().commands().start(COUNT)) {
      var text = new StringBuilder();
      var cuts = 0;
      for (var event : handle) {
        if (!(event instanceof CommandEvent.Stdout output)) continue;
        text.append(output.text());
        if (text.length() > (cuts + 1) * 20_000) {
          cuts += 1;
          proxy.ask("cut");
        }
      }
      Checks.that(cuts > 3, cuts);
      Checks.equal(COUNTED, text.toString());
      Checks.equal(COUNTED, handle.await().stdout());
    }
  }

  private static void connectionCutQueue() throws Exception {
    try (var proxy = Controls.proxy();
        var tenant = Tenant.at(proxy.url())) {
      var job =
          tenant
              .drydock()
              .executions()
              .submit(program -> program.language("python").source("import time; time.sleep(1.5)"));
      var cutting = Executors.newSingleThreadScheduledExecutor();
      try {
        cutting.scheduleAtFixedRate(() -> proxy.ask("cut"), 300, 300, TimeUnit.MILLISECONDS);
        var execution = job.await();
        Checks.equal(ExecutionState.FINISHED, execution.state());
        Checks.equal(Verdict.ACCEPTED, execution.verdict());
      } finally {
        cutting.shutdown();
        Checks.that(cutting.awaitTermination(10, TimeUnit.SECONDS), "the cuts have ended");
      }
    }
  }

  private static void answerLost() throws Exception {
    try (var proxy = Controls.proxy();
        var tenant = Tenant.at(proxy.url())) {
      var sandboxes = tenant.drydock().sandboxes();
      Checks.equal(0L, sandboxes.list().stream().count());
      proxy.ask("lose-answers");
      var creating =
          CompletableFuture.supplyAsync(() -> sandboxes.create("python", options -> options.keep()).id());
      CompletableFuture.delayedExecutor(500, TimeUnit.MILLISECONDS).execute(() -> proxy.ask("keep-answers"));
      var id = creating.get();
      Checks.equal(List.of(id), sandboxes.list().stream().map(SandboxInfo::id).toList());
    }
  }

  private static void gatewayKilled() throws Exception {
    try (var gateway = Controls.gateway();
        var tenant = Tenant.open(quota -> {}, options -> options.url(gateway.url()).maxRetries(30))) {
      var commands = tenant.sandbox().commands();
      try (var handle = commands.start(COUNT)) {
        Checks.that(handle.iterator().next() instanceof CommandEvent.Stdout, "it prints");
        gateway.ask("kill");
        var listing = CompletableFuture.supplyAsync(commands::list);
        gateway.ask("start");
        var result = handle.await();
        Checks.equal(COUNTED, result.stdout());
        Checks.equal(0, result.exitCode());
        Checks.equal(List.of(handle.id()), listing.get().stream().map(CommandInfo::id).toList());
      }
    }
  }
}
