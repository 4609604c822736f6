package dev.drydock.testing;

import com.google.protobuf.Message;
import dev.drydock.internal.v1.AuthServiceGrpc;
import dev.drydock.internal.v1.BlobServiceGrpc;
import dev.drydock.internal.v1.ExchangeTokenResponse;
import dev.drydock.internal.v1.ExecutionServiceGrpc;
import dev.drydock.internal.v1.FileServiceGrpc;
import dev.drydock.internal.v1.ProcessServiceGrpc;
import dev.drydock.internal.v1.SandboxServiceGrpc;
import dev.drydock.internal.v1.TemplateServiceGrpc;
import dev.drydock.internal.v1.TestSetServiceGrpc;
import dev.drydock.internal.v1.WebhookServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Serves the API to the real client, answers as it is told, and keeps what it was asked. It knows nothing of the platform. API keys
 * are exchanged for a token; any other call fails with {@code NOT_IMPLEMENTED} until {@link #on} tells how to answer it.
 */
public final class FakeServer implements AutoCloseable {
  private static final String EXCHANGE = "ExchangeToken";
  private static final List<ServiceDescriptor> SERVICES =
      List.of(
          AuthServiceGrpc.getServiceDescriptor(),
          BlobServiceGrpc.getServiceDescriptor(),
          ExecutionServiceGrpc.getServiceDescriptor(),
          FileServiceGrpc.getServiceDescriptor(),
          ProcessServiceGrpc.getServiceDescriptor(),
          SandboxServiceGrpc.getServiceDescriptor(),
          TemplateServiceGrpc.getServiceDescriptor(),
          TestSetServiceGrpc.getServiceDescriptor(),
          WebhookServiceGrpc.getServiceDescriptor());

  private final Server server;
  private final List<FakeCall> calls = new ArrayList<>();
  private final Map<String, Deque<Function<List<Message>, Answer>>> answers = new HashMap<>();

  private FakeServer() {
    var builder = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create());
    for (var service : SERVICES) {
      var definition = ServerServiceDefinition.builder(service);
      for (var method : service.getMethods()) add(definition, method);
      builder.addService(definition.build());
    }
    server = builder.build();
    on(EXCHANGE, Answer.of(ExchangeTokenResponse.newBuilder().setToken("fake-token").build()));
  }

  /**
   * Serves on a free port until it is closed.
   *
   * @return the server
   */
  public static FakeServer start() {
    var fake = new FakeServer();
    try {
      fake.server.start();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return fake;
  }

  /** {@return where the client finds it} */
  public String url() {
    return "http://127.0.0.1:" + server.getPort();
  }

  /**
   * Answers the calls of a method with these in turn; the last one again and again.
   *
   * @param method such as {@code RunCode}
   * @param given at least one
   */
  public void on(String method, Answer... given) {
    var steps = new ArrayDeque<Function<List<Message>, Answer>>();
    for (var each : given) steps.add(requests -> each);
    put(method, steps);
  }

  /**
   * Answers the calls of a method by what they ask.
   *
   * @param method such as {@code RunCode}
   * @param answer of the requests: one, or as many as the client streamed
   */
  public void on(String method, Function<List<Message>, Answer> answer) {
    put(method, new ArrayDeque<>(List.of(answer)));
  }

  /** {@return calls in their order, without those that exchange API keys} */
  public List<FakeCall> calls() {
    synchronized (calls) {
      return List.copyOf(calls);
    }
  }

  /**
   * The requests of all calls of a method, in their order.
   *
   * @param <M> their type
   * @param method such as {@code RunCode}
   * @param type their class
   * @return the requests
   */
  public <M extends Message> List<M> requests(String method, Class<M> type) {
    return calls().stream()
        .filter(call -> call.method().equals(method))
        .flatMap(call -> call.requests().stream())
        .map(type::cast)
        .toList();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private void put(String method, Deque<Function<List<Message>, Answer>> steps) {
    var exists = SERVICES.stream().flatMap(service -> service.getMethods().stream()).anyMatch(each -> method.equals(each.getBareMethodName()));
    if (!exists) throw new IllegalArgumentException("the API has no method " + method);
    if (steps.isEmpty()) throw new IllegalArgumentException("on() takes at least one answer");
    synchronized (calls) {
      answers.put(method, steps);
    }
  }

  private Answer answer(FakeCall call) {
    Function<List<Message>, Answer> step;
    synchronized (calls) {
      if (!call.method().equals(EXCHANGE)) calls.add(call);
      var steps = answers.get(call.method());
      step = steps == null ? null : steps.size() > 1 ? steps.remove() : steps.peek();
    }
    if (step != null) return step.apply(call.requests());
    var message = "the fake server was not told how to answer " + call.method();
    return Answer.failing(Status.Code.UNIMPLEMENTED, "NOT_IMPLEMENTED", message);
  }

  private <Q, A> void add(ServerServiceDefinition.Builder definition, MethodDescriptor<Q, A> method) {
    definition.addMethod(
        method,
        (call, headers) -> {
          call.request(Integer.MAX_VALUE);
          return new Listener<>(call, headers);
        });
  }

  private final class Listener<Q, A> extends ServerCall.Listener<Q> {
    private final ServerCall<Q, A> call;
    private final Map<String, String> headers = new HashMap<>();
    private final List<Message> requests = new ArrayList<>();

    Listener(ServerCall<Q, A> call, Metadata given) {
      this.call = call;
      for (var name : given.keys())
        if (!name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
          var value = given.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
          if (value != null) headers.put(name, value);
        }
    }

    @Override
    public void onMessage(Q request) {
      requests.add((Message) request);
    }

    @Override
    public void onHalfClose() {
      var method = call.getMethodDescriptor().getBareMethodName();
      var answer = answer(new FakeCall(method == null ? "" : method, requests, headers));
      call.sendHeaders(new Metadata());
      for (var message : answer.messages()) send(message);
      var failure = answer.failure();
      if (failure == null) call.close(Status.OK, new Metadata());
      else call.close(failure.getStatus(), failure.getTrailers() == null ? new Metadata() : failure.getTrailers());
    }

    @SuppressWarnings("unchecked")
    private void send(Message message) {
      call.sendMessage((A) message);
    }
  }
}
