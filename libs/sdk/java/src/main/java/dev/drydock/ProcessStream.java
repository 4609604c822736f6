package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.ConnectProcessRequest;
import dev.drydock.internal.v1.ConnectProcessResponse;
import dev.drydock.internal.v1.Output;
import dev.drydock.internal.v1.ProcessExited;
import dev.drydock.internal.v1.ProcessServiceGrpc;
import dev.drydock.internal.v1.StartProcessResponse;
import org.jspecify.annotations.Nullable;

/**
 * The events of a process until it has ended. A stream that breaks is joined again where it was: the reader sees neither gap nor
 * repetition. It has one reader at a time; {@link #close} may be called from any thread.
 */
final class ProcessStream {
  /** An event of either stream: of the one that starts a process, or of one that joins it. */
  sealed interface Event {
    record Piece(OutputStreamName stream, Output output) implements Event {}

    record Exited(ProcessExited exited) implements Event {}

    /** Of no interest here. */
    record Other() implements Event {}
  }

  private static final Event OTHER = new Event.Other();

  private final Connection connection;
  private final String sandboxId;
  private final String processId;
  private final Breaks breaks;
  /** An output whose first piece comes later than at 0 is no loss. */
  private final boolean anyStart;

  private final Object sourceLock = new Object();
  private @Nullable Messages<Event> source;
  private boolean closed;
  private volatile Offset offset;

  /**
   * Joins a process.
   *
   * @param offset where to go on; null for all that is kept
   * @param source the stream that started the process, if any
   */
  ProcessStream(
      Connection connection,
      String sandboxId,
      String processId,
      @Nullable Offset offset,
      @Nullable Messages<Event> source) {
    this.connection = connection;
    this.sandboxId = sandboxId;
    this.processId = processId;
    this.breaks = new Breaks(connection);
    this.anyStart = offset == null;
    this.offset = offset == null ? Offset.START : offset;
    this.source = source;
  }

  Offset offset() {
    return offset;
  }

  /** What is new: output, or the exit, which is the last event. */
  Event next() throws InterruptedException {
    for (; ; ) {
      DrydockException broken;
      try {
        var event = open().next();
        if (event instanceof Event.Exited) return event;
        if (event instanceof Event.Piece piece) {
          var news = newsOf(piece);
          if (news == null) continue;
          breaks.reset();
          return news;
        }
        if (event != null) continue;
        broken = new UnavailableException("the stream of the process ended before the process", ErrorDetails.NONE);
      } catch (OutputLostException lost) {
        throw lost;
      } catch (DrydockException error) {
        broken = error;
      }
      drop();
      breaks.await(broken);
    }
  }

  /** Ends the reading. */
  void close() {
    synchronized (sourceLock) {
      closed = true;
    }
    drop();
  }

  private Messages<Event> open() {
    synchronized (sourceLock) {
      if (closed) throw new DrydockException("the reading was ended", ErrorDetails.of("CLOSED"));
      if (source != null) return source;
    }
    var request =
        ConnectProcessRequest.newBuilder()
            .setSandboxId(sandboxId)
            .setProcessId(processId)
            .setStdoutOffset(offset.stdout())
            .setStderrOffset(offset.stderr())
            .build();
    var method = ProcessServiceGrpc.getConnectProcessMethod();
    var opened = map(connection.withoutRequestTimeout().stream(method, request, Kind.LASTING), ProcessStream::eventOf);
    synchronized (sourceLock) {
      if (closed) opened.close();
      else source = opened;
    }
    return opened;
  }

  private void drop() {
    synchronized (sourceLock) {
      if (source != null) source.close();
      source = null;
    }
  }

  /** What of a piece is new; null for a repetition. */
  private Event.@Nullable Piece newsOf(Event.Piece piece) {
    var isStdout = piece.stream() == OutputStreamName.STDOUT;
    var seen = isStdout ? offset.stdout() : offset.stderr();
    var begin = piece.output().getOffset();
    var bytes = bytesOf(piece.output());
    if (begin > seen && !(anyStart && seen == 0)) throw new OutputLostException(piece.stream(), begin - seen);
    var repeated = Math.max(0, seen - begin);
    if (repeated >= bytes.size()) return null;
    var end = begin + bytes.size();
    offset = isStdout ? new Offset(end, offset.stderr()) : new Offset(offset.stdout(), end);
    if (repeated == 0) return piece;
    var rest = Output.newBuilder().setOffset(seen).setData(bytes.substring((int) repeated)).build();
    return new Event.Piece(piece.stream(), rest);
  }

  static com.google.protobuf.ByteString bytesOf(Output output) {
    return output.hasData() ? output.getData() : output.getTextBytes();
  }

  static Event eventOf(StartProcessResponse response) {
    return switch (response.getEventCase()) {
      case STDOUT -> new Event.Piece(OutputStreamName.STDOUT, response.getStdout());
      case STDERR -> new Event.Piece(OutputStreamName.STDERR, response.getStderr());
      case EXITED -> new Event.Exited(response.getExited());
      case STARTED, EVENT_NOT_SET -> OTHER;
    };
  }

  private static Event eventOf(ConnectProcessResponse response) {
    return switch (response.getEventCase()) {
      case STDOUT -> new Event.Piece(OutputStreamName.STDOUT, response.getStdout());
      case STDERR -> new Event.Piece(OutputStreamName.STDERR, response.getStderr());
      case EXITED -> new Event.Exited(response.getExited());
      case STARTED, EVENT_NOT_SET -> OTHER;
    };
  }

  static <A> Messages<Event> map(Messages<A> messages, java.util.function.Function<A, Event> eventOf) {
    return new Messages<>() {
      @Override
      public @Nullable Event next() throws InterruptedException {
        var answer = messages.next();
        return answer == null ? null : eventOf.apply(answer);
      }

      @Override
      public void close() {
        messages.close();
      }
    };
  }
}
