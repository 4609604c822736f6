package scenarios;

import com.sun.source.util.JavacTask;
import dev.drydock.Drydock;
import dev.drydock.DrydockException;
import dev.drydock.DrydockTimeoutException;
import dev.drydock.InvalidArgumentException;
import dev.drydock.SandboxOptions;
import dev.drydock.UnauthenticatedException;
import dev.drydock.UnavailableException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/** Address, key and options of a client. */
final class ClientScenarios {
  private ClientScenarios() {}

  static final Map<String, Scenario> ALL =
      Main.scenarios(
          "client-from-environment", (Scenario) ClientScenarios::clientFromEnvironment,
          "client-from-profile", (Scenario) ClientScenarios::clientFromProfile,
          "no-key", (Scenario) ClientScenarios::noKey,
          "wrong-key", (Scenario) ClientScenarios::wrongKey,
          "expired-key", (Scenario) ClientScenarios::expiredKey,
          "wrong-url", (Scenario) ClientScenarios::wrongUrl,
          "not-drydock", (Scenario) ClientScenarios::notDrydock,
          "tls", (Scenario) ClientScenarios::tls,
          "unknown-option", (Scenario) ClientScenarios::unknownOption,
          "request-ids", (Scenario) ClientScenarios::requestIds,
          "request-timeout", (Scenario) ClientScenarios::requestTimeout);

  private static void clientFromEnvironment() throws Exception {
    var output = HelloProgram.run(Map.of("DRYDOCK_URL", Tenant.URL, "DRYDOCK_API_KEY", Tenant.API_KEY));
    Checks.equal(new HelloProgram.Output(0, "42"), output);
  }

  private static void clientFromProfile() throws Exception {
    var home = Files.createTempDirectory("drydock-home-");
    try {
      var directory = Files.createDirectories(home.resolve(".config/drydock"));
      Files.writeString(
          directory.resolve("config.toml"),
          """
          [profiles.default]
          url = "http://127.0.0.1:1"
          [profiles.test]
          url = "%s"
          api_key = "%s"
          """
              .formatted(Tenant.URL, Tenant.API_KEY));
      var found = HelloProgram.run(Map.of("HOME", home.toString(), "DRYDOCK_PROFILE", "test"));
      Checks.equal(new HelloProgram.Output(0, "42"), found);
      var missing = HelloProgram.run(Map.of("HOME", home.toString(), "DRYDOCK_PROFILE", "other"));
      Checks.contains("has no profile 'other'", missing.text());
    } finally {
      try (var files = Files.walk(home)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
      }
    }
  }

  private static void noKey() throws Exception {
    var output = HelloProgram.run(Map.of("DRYDOCK_URL", Tenant.URL));
    Checks.contains("no API key: set DRYDOCK_API_KEY", output.text());
  }

  private static void wrongKey() {
    try (var drydock = Tenant.client(options -> options.apiKey("dk_" + "x".repeat(43)))) {
      var error = Checks.fails(UnauthenticatedException.class, () -> drydock.run("python", ""));
      Checks.equal("CREDENTIAL_INVALID", error.reason());
    }
  }

  private static void expiredKey() throws Exception {
    try (var tenant = Tenant.open()) {
      var expireTime = Instant.now().plusSeconds(4);
      var made = tenant.drydock().apiKeys().create("short", key -> key.expireTime(expireTime).scopes("executions"));
      try (var drydock = Tenant.client(options -> options.apiKey(made.secret()))) {
        Checks.equal(0L, drydock.executions().list().stream().count());
        Checks.eventually(
            UnauthenticatedException.class,
            () -> {
              try {
                return drydock.executions().list().stream().count();
              } catch (DrydockException error) {
                return error.getClass();
              }
            });
      }
    }
  }

  private static void wrongUrl() {
    try (var drydock = Tenant.client(options -> options.url("http://127.0.0.1:1").maxRetries(1))) {
      var error = Checks.fails(UnavailableException.class, () -> drydock.run("python", ""));
      Checks.that(error.getMessage().startsWith("http://127.0.0.1:1 cannot be reached: "), error);
    }
    for (var url : List.of("127.0.0.1:8080", "ftp://127.0.0.1", "http://127.0.0.1/v1"))
      Checks.fails(InvalidArgumentException.class, () -> Tenant.client(options -> options.url(url)));
  }

  private static void notDrydock() throws Exception {
    try (var server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      var answering = new Thread(() -> answerByHttp(server));
      answering.start();
      var url = "http://127.0.0.1:" + server.getLocalPort();
      try (var drydock = Tenant.client(options -> options.url(url).maxRetries(1))) {
        Checks.contains(url, Checks.fails(DrydockException.class, () -> drydock.run("python", "")).getMessage());
      }
    }
  }

  private static void answerByHttp(ServerSocket server) {
    var answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    for (; ; ) {
      try (var socket = server.accept()) {
        socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
      } catch (IOException closed) {
        return;
      }
    }
  }

  private static void tls() {
    try (var gateway = Controls.tlsGateway()) {
      var ca = gateway.text("ca").getBytes(StandardCharsets.US_ASCII);
      Checks.equal("42\n", hello(gateway.url(), ca));
      var untrusted = Checks.fails(UnavailableException.class, () -> hello(gateway.url(), null));
      Checks.contains("certification path", untrusted.getMessage());
      var other = Checks.fails(UnavailableException.class, () -> hello(gateway.text("otherHostUrl"), ca));
      Checks.contains("matching localhost", other.getMessage());
      Checks.fails(UnavailableException.class, () -> hello(gateway.text("httpUrl"), null));
    }
  }

  private static String hello(String url, byte[] ca) {
    try (var drydock =
        Tenant.client(
            options -> {
              options.url(url).maxRetries(1);
              if (ca != null) options.ca(ca);
            })) {
      return drydock.run("python", "print(42)").stdout();
    }
  }

  /** An option that does not exist does not compile. One that is there is refused where nobody could honour it. */
  private static void unknownOption() {
    Checks.that(compiles("program -> program.stdin(\"\")"), "an option compiles");
    Checks.that(!compiles("program -> program.stdinn(\"\")"), "an unknown option does not compile");
    List<Consumer<SandboxOptions>> wrong =
        List.of(
            options -> options.lifetime(Duration.ZERO),
            options -> options.lifetime(Duration.ofSeconds(-1)),
            options -> options.limits(limits -> limits.cpuTime(Duration.ZERO)));
    for (var options : wrong)
      Checks.fails(
          InvalidArgumentException.class, () -> Tenant.OPERATOR.sandboxes().create("python", options));
    Checks.fails(
        InvalidArgumentException.class, () -> Drydock.create(options -> options.requestTimeout(Duration.ZERO)));
    Checks.fails(InvalidArgumentException.class, () -> Drydock.create(options -> options.maxRetries(-1)));
  }

  private static boolean compiles(String options) {
    var text = "class Use { Object use(dev.drydock.Drydock drydock) { return drydock.run(\"\", \"\", " + options + "); } }";
    var source =
        new SimpleJavaFileObject(URI.create("string:///Use.java"), JavaFileObject.Kind.SOURCE) {
          @Override
          public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
          }
        };
    var arguments = List.of("-proc:none", "-cp", System.getProperty("java.class.path"));
    var problems = new DiagnosticCollector<JavaFileObject>();
    var compiler = ToolProvider.getSystemJavaCompiler();
    var task = (JavacTask) compiler.getTask(null, null, problems, arguments, null, List.of(source));
    try {
      task.analyze();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return problems.getDiagnostics().stream().noneMatch(each -> each.getKind() == Diagnostic.Kind.ERROR);
  }

  private static void requestIds() {
    var error =
        Checks.fails(
            InvalidArgumentException.class,
            () -> Tenant.OPERATOR.run("python", "x", program -> program.limits(limits -> limits.processes(1))));
    Checks.equal("INVALID_FIELD", error.reason());
    Checks.that(String.valueOf(error.requestId()).startsWith("req_"), error.requestId());
    Checks.equal(1, error.fieldViolations().size());
    Checks.contains("processes", error.fieldViolations().get(0).field());
    Checks.that(!error.fieldViolations().get(0).description().isEmpty(), error.fieldViolations());
  }

  private static void requestTimeout() {
    try (var proxy = Controls.proxy();
        var tenant = Tenant.at(proxy.url())) {
      Checks.that(tenant.drydock().templates().list().stream().count() > 0, "there are templates");
      var hasty = tenant.drydock().withRequestTimeout(Duration.ofMillis(500));
      Checks.fails(
          DrydockTimeoutException.class, () -> hasty.run("python", "import time; time.sleep(20)"));
    }
  }
}
