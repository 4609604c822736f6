package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.CancelExecutionRequest;
import dev.drydock.internal.v1.ExecutionServiceGrpc;
import dev.drydock.internal.v1.GetExecutionRequest;
import dev.drydock.internal.v1.ReadExecutionOutputRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletableFuture;

/** An execution of the queue. */
public final class Job {
  private final Connection connection;
  private final String id;

  Job(Connection connection, String id) {
    this.connection = connection;
    this.id = id;
  }

  /** {@return {@code exe_} and 26 characters} */
  public String id() {
    return id;
  }

  /**
   * Tells how it is now.
   *
   * @return the execution
   * @throws NotFoundException if there is no such execution
   */
  public Execution get() {
    var request = GetExecutionRequest.newBuilder().setExecutionId(id).build();
    return Execution.of(
        connection.unary(ExecutionServiceGrpc.getGetExecutionMethod(), request, Kind.SAFE).getExecution());
  }

  /**
   * Waits for its end, however often the connection breaks meanwhile.
   *
   * @return what came of it
   * @throws NotFoundException if there is no such execution
   */
  public Execution await() {
    try (var states = watch()) {
      return states.stream()
          .reduce((before, after) -> after)
          .orElseThrow(
              () -> new NotFoundException("there is no execution " + id, ErrorDetails.of("EXECUTION_NOT_FOUND")));
    }
  }

  /**
   * Waits for its end, as {@link #await} does.
   *
   * @return what comes of it; cancelling the future ends the waiting, not the execution
   */
  public CompletableFuture<Execution> awaitAsync() {
    return Futures.run(connection.link().executor(), this::await);
  }

  /**
   * Follows its state. A stream that breaks is begun again.
   *
   * @return the execution now and after each change of its state, until it has ended; closing them ends the reading
   */
  public Events<Execution> watch() {
    return new Events<>(new Watch(connection, id));
  }

  /**
   * Ends it: one that waits never runs, and one that runs is stopped. One that has ended stays as it is.
   *
   * @return the execution afterwards
   * @throws NotFoundException if there is no such execution
   */
  public Execution cancel() {
    var request = CancelExecutionRequest.newBuilder().setExecutionId(id).build();
    return Execution.of(
        connection.unary(ExecutionServiceGrpc.getCancelExecutionMethod(), request, Kind.SAFE).getExecution());
  }

  /**
   * Reads all that is kept of an output, or of the talk with an interactor.
   *
   * @param stream which one
   * @return its bytes
   * @throws ConflictException if it has not ended ({@code EXECUTION_NOT_FINISHED})
   */
  public byte[] output(OutputStreamName stream) {
    try (var content = outputStream(stream)) {
      return content.readAllBytes();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private InputStream outputStream(OutputStreamName stream) {
    var request = ReadExecutionOutputRequest.newBuilder().setExecutionId(id).setStream(stream.text()).build();
    var messages = connection.stream(ExecutionServiceGrpc.getReadExecutionOutputMethod(), request, Kind.LASTING);
    return new PieceInputStream<>(messages, answer -> answer.getData());
  }
}
