package dev.drydock;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.BatchSubmitExecutionsRequest;
import dev.drydock.internal.v1.BatchSubmitResult;
import dev.drydock.internal.v1.ExecutionServiceGrpc;
import dev.drydock.internal.v1.ListExecutionsRequest;
import dev.drydock.internal.v1.Output;
import dev.drydock.internal.v1.RunCodeRequest;
import dev.drydock.internal.v1.StreamCodeRequest;
import dev.drydock.internal.v1.StreamCodeResponse;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Programs, run to a verdict: now, or in the queue. */
public final class Executions {
  private final Connection connection;

  Executions(Connection connection) {
    this.connection = connection;
  }

  /**
   * Runs a program now, and answers when it has ended.
   *
   * @param program says what to run
   * @return what came of it; a program that fails is a result
   * @throws CallInterruptedException if the thread was interrupted; the program is then ended
   * @throws InvalidArgumentException if an option is out of range, or there is no such language
   * @throws QuotaExceededException if the organisation runs as many as it may
   * @throws NoCapacityException if the platform has no room
   */
  public Execution run(Consumer<Program> program) {
    var request = requestOf(program).setRequestId(RequestIds.create()).build();
    return Execution.of(
        connection.unary(ExecutionServiceGrpc.getRunCodeMethod(), request, Kind.LASTING).getExecution());
  }

  /**
   * Runs a program. As {@link #run}.
   *
   * @param program says what to run
   * @return what comes of it; cancelling the future ends the program
   */
  public CompletableFuture<Execution> runAsync(Consumer<Program> program) {
    return Futures.run(connection.link().executor(), () -> run(program));
  }

  /**
   * Runs a program now, and tells what happens as it happens.
   *
   * @param program says what to run
   * @return events, the last one of which is {@link RunEvent.Finished}; closing them ends the program
   * @throws InvalidArgumentException if an option is out of range, or there is no such language
   * @throws QuotaExceededException if the organisation runs as many as it may
   * @throws NoCapacityException if the platform has no room
   */
  public Events<RunEvent> stream(Consumer<Program> program) {
    var request =
        Executions.<StreamCodeRequest.Builder>copy(requestOf(program), StreamCodeRequest.newBuilder())
            .setRequestId(RequestIds.create())
            .build();
    var messages = connection.stream(ExecutionServiceGrpc.getStreamCodeMethod(), request, Kind.LASTING);
    return new Events<>(
        new Events.Source<>() {
          @Override
          public @Nullable RunEvent next() throws InterruptedException {
            for (var answer = messages.next(); answer != null; answer = messages.next()) {
              var event = eventOf(answer);
              if (event != null) return event;
            }
            return null;
          }

          @Override
          public void close() {
            messages.close();
          }
        });
  }

  /**
   * Puts a program in the queue: from then on it is run, whatever breaks.
   *
   * @param submission says what to run
   * @return the execution
   * @throws InvalidArgumentException if an option is out of range, or there is no such language
   * @throws QuotaExceededException if the queue is full ({@code QUEUE_FULL})
   */
  public Job submit(Consumer<Submission> submission) {
    var given = new Submission();
    submission.accept(given);
    var method = ExecutionServiceGrpc.getSubmitExecutionMethod();
    return job(connection.unary(method, given.toRequest(), Kind.SAFE).getExecution().getId());
  }

  /**
   * Puts up to 1,000 programs in the queue. Each is taken or refused by itself.
   *
   * @param submissions say what to run
   * @return what came of each, in their order
   * @throws InvalidArgumentException if there are none or too many
   */
  public List<BatchResult> batch(List<Submission> submissions) {
    var request =
        BatchSubmitExecutionsRequest.newBuilder()
            .addAllRequests(submissions.stream().map(Submission::toRequest).toList())
            .build();
    var answer = connection.unary(ExecutionServiceGrpc.getBatchSubmitExecutionsMethod(), request, Kind.SAFE);
    return answer.getResultsList().stream().map(this::memberOf).toList();
  }

  /**
   * Names an execution that was submitted before. It is not asked for.
   *
   * @param id of the execution
   * @return the execution; its methods throw {@link NotFoundException} where there is none
   */
  public Job job(String id) {
    return new Job(connection, id);
  }

  /**
   * Tells of one execution.
   *
   * @param id of the execution
   * @return how it is now
   * @throws NotFoundException if there is no such execution
   */
  public Execution get(String id) {
    return job(id).get();
  }

  /**
   * Lists executions without their output.
   *
   * @param states only these; default: all
   * @return executions, newest first
   */
  public Paged<Execution> list(ExecutionState... states) {
    var request = ListExecutionsRequest.newBuilder();
    for (var state : states) {
      if (state == ExecutionState.UNRECOGNIZED) throw InvalidArgumentException.of("states", "cannot be UNRECOGNIZED");
      request.addStates(dev.drydock.internal.v1.Execution.State.valueOf(state.name()));
    }
    var first = request.build();
    return new Paged<>(
        pageToken -> {
          var page = first.toBuilder().setPageToken(pageToken).build();
          var answer = connection.unary(ExecutionServiceGrpc.getListExecutionsMethod(), page, Kind.SAFE);
          return new Paged.Page<>(
              answer.getExecutionsList().stream().map(Execution::of).toList(), answer.getNextPageToken());
        });
  }

  /** Of messages that have the same fields, under the same numbers: those that run a program, for one. */
  static <B extends Message.Builder> B copy(Message.Builder from, B to) {
    try {
      to.mergeFrom(from.build().toByteString());
      return to;
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalStateException(error);
    }
  }

  private static RunCodeRequest.Builder requestOf(Consumer<Program> program) {
    var given = new Program();
    program.accept(given);
    return given.request;
  }

  private BatchResult memberOf(BatchSubmitResult result) {
    if (result.hasExecution()) return new BatchResult.Queued(job(result.getExecution().getId()));
    var error = result.getError();
    var violations =
        error.getFieldViolationsList().stream()
            .map(each -> new FieldViolation(each.getField(), each.getDescription()))
            .toList();
    var details = ErrorDetails.of(error.getReason().name()).withFieldViolations(violations);
    return new BatchResult.Refused(Failures.of(error.getReason(), error.getMessage(), details));
  }

  private static @Nullable RunEvent eventOf(StreamCodeResponse answer) {
    return switch (answer.getEventCase()) {
      case COMPILE_STARTED -> new RunEvent.CompileStarted();
      case RUN_STARTED -> new RunEvent.RunStarted(answer.getRunStarted().getCaseIndex());
      case STDOUT -> new RunEvent.Stdout(bytesOf(answer.getStdout()));
      case STDERR -> new RunEvent.Stderr(bytesOf(answer.getStderr()));
      case EXECUTION -> new RunEvent.Finished(Execution.of(answer.getExecution()));
      case EVENT_NOT_SET -> null;
    };
  }

  private static byte[] bytesOf(Output output) {
    return ProcessStream.bytesOf(output).toByteArray();
  }
}
