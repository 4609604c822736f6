package scenarios;

import dev.drydock.Drydock;
import dev.drydock.NotFoundException;
import dev.drydock.internal.v1.Execution;
import dev.drydock.internal.v1.ListSandboxesResponse;
import dev.drydock.internal.v1.RunCodeRequest;
import dev.drydock.internal.v1.RunCodeResponse;
import dev.drydock.testing.Answer;
import dev.drydock.testing.FakeServer;
import io.grpc.Status;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import java.time.Duration;
import java.util.List;

/** A test of a user, against the fake server. */
final class FakePlatform {
  private static final String TRACE = "0af7651916cd43dd8448eb211c80319c";
  private static final String SPAN = "b7ad6b7169203331";

  private FakePlatform() {}

  public static void main(String[] arguments) {
    try (var server = FakeServer.start();
        var drydock = Drydock.create(options -> options.url(server.url()).apiKey("dk_test"))) {
      runs(server, drydock);
      fails(server, drydock);
      traces(server, drydock);
    }
    System.out.println("done");
    System.exit(0);
  }

  private static void runs(FakeServer server, Drydock drydock) {
    var answer = RunCodeResponse.newBuilder().setExecution(Execution.newBuilder().setStdout("42\n")).build();
    var later = Answer.failing(Status.Code.UNAVAILABLE, "SERVICE_UNAVAILABLE", "not yet", Duration.ofMillis(1));
    server.on("RunCode", later, Answer.of(answer));
    Checks.equal("42\n", drydock.run("python", "print(42)").stdout());
    var sources = server.requests("RunCode", RunCodeRequest.class).stream().map(RunCodeRequest::getSource).toList();
    Checks.equal(List.of("print(42)", "print(42)"), sources);
    Checks.equal("Bearer fake-token", server.calls().get(0).headers().get("authorization"));
  }

  private static void fails(FakeServer server, Drydock drydock) {
    server.on("GetSandbox", Answer.failing(Status.Code.NOT_FOUND, "SANDBOX_NOT_FOUND", "gone"));
    var error = Checks.fails(NotFoundException.class, () -> drydock.sandboxes().get("sbx_1"));
    Checks.equal("SANDBOX_NOT_FOUND", error.reason());
    Checks.fails(IllegalArgumentException.class, () -> server.on("NoSuchMethod", Answer.of()));
  }

  private static void traces(FakeServer server, Drydock drydock) {
    server.on("ListSandboxes", Answer.of(ListSandboxesResponse.getDefaultInstance()));
    var before = server.calls().size();
    drydock.sandboxes().list().iterator().hasNext();
    var span = Span.wrap(SpanContext.create(TRACE, SPAN, TraceFlags.getSampled(), TraceState.getDefault()));
    try (var scope = span.makeCurrent()) {
      Checks.that(scope != null, "the span is the current one");
      drydock.sandboxes().list().iterator().hasNext();
    }
    Checks.equal(null, server.calls().get(before).headers().get("traceparent"));
    Checks.equal("00-" + TRACE + "-" + SPAN + "-01", server.calls().get(before + 1).headers().get("traceparent"));
  }
}
