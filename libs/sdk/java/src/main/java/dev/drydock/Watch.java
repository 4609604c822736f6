package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.Execution.State;
import dev.drydock.internal.v1.ExecutionServiceGrpc;
import dev.drydock.internal.v1.WatchExecutionRequest;
import dev.drydock.internal.v1.WatchExecutionResponse;
import org.jspecify.annotations.Nullable;

/** The states of an execution until it has ended. */
final class Watch implements Events.Source<Execution> {
  private final Connection connection;
  private final WatchExecutionRequest request;
  private final Breaks breaks;
  private @Nullable Messages<WatchExecutionResponse> source;
  private String seen = "";
  private boolean ended;

  Watch(Connection connection, String id) {
    this.connection = connection;
    this.request = WatchExecutionRequest.newBuilder().setExecutionId(id).build();
    this.breaks = new Breaks(connection);
  }

  @Override
  public @Nullable Execution next() throws InterruptedException {
    while (!ended) {
      DrydockException broken;
      try {
        if (source == null)
          source = connection.stream(ExecutionServiceGrpc.getWatchExecutionMethod(), request, Kind.LASTING);
        var answer = source.next();
        if (answer != null) {
          var execution = answer.getExecution();
          ended = execution.getState() == State.FINISHED || execution.getState() == State.CANCELLED;
          var state = execution.getState() + " " + execution.getAttempts();
          if (state.equals(seen)) continue;
          seen = state;
          breaks.reset();
          return Execution.of(execution);
        }
        broken = new UnavailableException("the watch ended before the execution", ErrorDetails.NONE);
      } catch (DrydockException error) {
        broken = error;
      }
      close();
      breaks.await(broken);
    }
    return null;
  }

  @Override
  public void close() {
    var open = source;
    source = null;
    if (open != null) open.close();
  }
}
