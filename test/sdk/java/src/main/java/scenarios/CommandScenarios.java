package scenarios;

import dev.drydock.CallInterruptedException;
import dev.drydock.CommandEvent;
import dev.drydock.CommandExitException;
import dev.drydock.CommandInfo;
import dev.drydock.DrydockTimeoutException;
import dev.drydock.InvalidArgumentException;
import dev.drydock.NotFoundException;
import dev.drydock.Offset;
import dev.drydock.OutputLostException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;

/** Commands and terminals. */
final class CommandScenarios {
  private CommandScenarios() {}

  static final Map<String, Scenario> ALL =
      Main.scenarios(
          "command", (Scenario) CommandScenarios::command,
          "command-fails", (Scenario) CommandScenarios::commandFails,
          "command-callbacks", (Scenario) CommandScenarios::commandCallbacks,
          "command-events", (Scenario) CommandScenarios::commandEvents,
          "command-background", (Scenario) CommandScenarios::commandBackground,
          "command-input", (Scenario) CommandScenarios::commandInput,
          "command-environment", (Scenario) CommandScenarios::commandEnvironment,
          "command-timeout", (Scenario) CommandScenarios::commandTimeout,
          "command-aborted", (Scenario) CommandScenarios::commandAborted,
          "command-joined", (Scenario) CommandScenarios::commandJoined,
          "command-lost-output", (Scenario) CommandScenarios::commandLostOutput,
          "command-not-found", (Scenario) CommandScenarios::commandNotFound,
          "terminal", (Scenario) CommandScenarios::terminal);

  private static final String COUNT = "for i in 0 1 2 3 4; do echo $i; sleep 0.1; done; echo end >&2; exit 3";
  private static final String NOBODY = "prc_01jv0000000000000000000000";

  private static void command() {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      var answer = commands.run("echo $((6 * 7)) | cat");
      Checks.equal("42\n", answer.stdout());
      Checks.that(answer.exitCode() == 0 && answer.success(), answer);
      Checks.equal("$HOME a b\n", commands.run("echo", "$HOME", "a b").stdout());
      var slept = commands.run("sleep 0.2");
      Checks.that(slept.duration().compareTo(Duration.ofMillis(199)) > 0, slept);
      Checks.that(slept.usage().peakMemoryBytes() >= 0, slept);
    }
  }

  private static void commandFails() {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      var result = commands.run("echo out; echo why >&2; exit 7");
      Checks.equal(List.of("out\n", "why\n", 7, false), List.of(result.stdout(), result.stderr(), result.exitCode(), result.success()));
      Checks.equal(null, result.signal());
      var error =
          Checks.fails(
              CommandExitException.class, () -> commands.run("echo why >&2; exit 7", options -> options.check()));
      Checks.equal("the command exited with code 7: why", error.getMessage());
      Checks.equal(7, error.result().exitCode());
      var killed = commands.run("kill -SEGV $$");
      Checks.equal(null, killed.exitCode());
      Checks.equal("SIGSEGV", killed.signal());
      Checks.that(!killed.success(), killed);
    }
  }

  private static void commandCallbacks() {
    try (var tenant = Tenant.open()) {
      var heard = new ArrayList<String>();
      tenant
          .sandbox()
          .commands()
          .run(COUNT, options -> options.onStdout(heard::add).onStderr(text -> heard.add("! " + text)));
      Checks.equal(List.of("0\n", "1\n", "2\n", "3\n", "4\n", "! end\n"), heard);
    }
  }

  private static void commandEvents() {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      var text = new StringBuilder();
      var offset = 0L;
      try (var handle = commands.start(List.of("seq", "1", "100000"))) {
        for (var event : handle) {
          if (event instanceof CommandEvent.Stdout output) {
            Checks.equal(offset, output.offset());
            offset += output.data().length;
            text.append(output.text());
          }
          if (event instanceof CommandEvent.Exit exit) {
            Checks.equal(0, exit.result().exitCode());
            Checks.that(exit.result().stdout().contentEquals(text), "the result is what was read");
          }
        }
      }
      Checks.equal(100_000L, text.chars().filter(each -> each == '\n').count());
      var cut = commands.run(List.of("seq", "1", "100000"), options -> options.keptBytes(4));
      Checks.equal("1\n2\n", cut.stdout());
      Checks.that(cut.truncated(), cut);
    }
  }

  private static void commandBackground() throws Exception {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      try (var handle = commands.start("sleep 60", options -> options.check())) {
        var end = handle.awaitAsync();
        var listed = commands.list();
        Checks.equal(1, listed.size());
        Checks.equal(List.of(handle.id(), handle.pid(), true), List.of(listed.get(0).id(), listed.get(0).pid(), listed.get(0).running()));
        Checks.that(handle.kill("SIGTERM"), "it ran");
        var error = Checks.fails(ExecutionException.class, end::get);
        var result = ((CommandExitException) error.getCause()).result();
        Checks.equal("SIGTERM", result.signal());
        Checks.equal(null, result.exitCode());
        Checks.that(!handle.kill(), "it has ended");
        Checks.fails(CommandExitException.class, handle::await);
      }
    }
  }

  private static void commandInput() throws IOException {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      Checks.equal("ABC", commands.run("tr a-z A-Z", options -> options.stdin("abc")).stdout());
      try (var handle = commands.start(List.of("cat"), options -> options.openStdin())) {
        try (var stdin = handle.stdin()) {
          stdin.write("one ".getBytes(StandardCharsets.UTF_8));
          stdin.write("two".getBytes(StandardCharsets.UTF_8));
        }
        Checks.equal("one two", handle.await().stdout());
      }
    }
  }

  private static void commandEnvironment() {
    try (var tenant = Tenant.open();
        var sandbox =
            tenant.drydock().sandboxes().create("python", options -> options.environment(Map.of("A", "1", "B", "1")))) {
      var result =
          sandbox
              .commands()
              .run("echo $A $B $PWD", options -> options.environment("B", "2").workingDirectory("/tmp"));
      Checks.equal("1 2 /tmp\n", result.stdout());
    }
  }

  private static void commandTimeout() throws Exception {
    try (var tenant = Tenant.open()) {
      var sandbox = tenant.sandbox();
      var commands = sandbox.commands();
      Checks.fails(
          DrydockTimeoutException.class,
          () -> commands.run("sleep 60", options -> options.timeout(Duration.ofMillis(300))));
      Checks.equal(
          List.of("false SIGKILL"),
          commands.list().stream().map(each -> each.running() + " " + each.signal()).toList());
      // A process ends by itself, though the timeout of its command is far away.
      var environment = Map.of("DRYDOCK_URL", Tenant.URL, "DRYDOCK_API_KEY", tenant.secret());
      Checks.equal(new HelloProgram.Output(0, "in time"), HelloProgram.run(environment, sandbox.id()));
    }
  }

  private static void commandAborted() throws Exception {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      var enough = new IllegalStateException("enough");
      Checks.equal(
          enough,
          Checks.fails(
              IllegalStateException.class,
              () ->
                  commands.run(
                      "echo up; sleep 60",
                      options ->
                          options.onStdout(
                              text -> {
                                throw enough;
                              }))));
      var up = new CountDownLatch(1);
      var run = commands.runAsync("echo up; sleep 60", options -> options.onStdout(text -> up.countDown()));
      up.await();
      run.cancel(true);
      Checks.eventually(
          List.of(false, false), () -> commands.list().stream().map(CommandInfo::running).toList());
      Thread.currentThread().interrupt();
      Checks.fails(CallInterruptedException.class, () -> commands.run("true"));
      Checks.that(Thread.interrupted(), "the interruption is still to be seen");
    }
  }

  private static void commandJoined() {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      try (var first = commands.start(COUNT)) {
        Checks.that(first.iterator().next() instanceof CommandEvent.Stdout, "the first event is output");
        var whole = commands.connect(first.id()).await();
        Checks.equal(List.of("0\n1\n2\n3\n4\n", "end\n", 3), List.of(whole.stdout(), whole.stderr(), whole.exitCode()));
        var rest = commands.connect(first.id(), options -> options.offset(new Offset(4, 0)));
        Checks.equal("2\n3\n4\n", rest.await().stdout());
        var own = first.await();
        Checks.equal(List.of("0\n1\n2\n3\n4\n", 3), List.of(own.stdout(), own.exitCode()));
      }
      Checks.fails(NotFoundException.class, () -> commands.connect(NOBODY));
    }
  }

  private static void commandLostOutput() {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      try (var first = commands.start(List.of("head", "-c", "3000000", "/dev/zero"))) {
        first.await();
        var late = commands.connect(first.id(), options -> options.offset(new Offset(10, 0)));
        Checks.that(Checks.fails(OutputLostException.class, late::await).lostBytes() > 1_000_000, "much is lost");
        Checks.that(commands.connect(first.id()).await().stdout().length() > 500_000, "the rest is kept");
      }
    }
  }

  private static void commandNotFound() {
    try (var tenant = Tenant.open()) {
      var commands = tenant.sandbox().commands();
      var error = Checks.fails(InvalidArgumentException.class, () -> commands.run(List.of("no-such-program")));
      Checks.equal("COMMAND_NOT_FOUND", error.reason());
    }
  }

  private static void terminal() throws Exception {
    try (var tenant = Tenant.open()) {
      var shown = new ByteArrayOutputStream();
      try (var terminal = tenant.sandbox().pty().create(24, 80, options -> options.onData(shown::writeBytes))) {
        terminal.write("stty size\n");
        Checks.eventually(true, () -> shown.toString(StandardCharsets.UTF_8).contains("24 80"));
        terminal.resize(50, 120);
        terminal.write("stty size; exit 4\n");
        Checks.equal(4, terminal.await().exitCode());
        Checks.contains("50 120", shown.toString(StandardCharsets.UTF_8));
      }
    }
  }
}
