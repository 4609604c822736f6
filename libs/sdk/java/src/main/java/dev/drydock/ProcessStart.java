package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.ProcessServiceGrpc;
import dev.drydock.internal.v1.StartProcessRequest;
import dev.drydock.internal.v1.StartProcessResponse;
import java.lang.System.Logger.Level;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Starts a process so that it outlives its stream. */
final class ProcessStart {
  private final Connection connection;
  private final String sandboxId;
  private final StartProcessRequest request;

  ProcessStart(Connection connection, String sandboxId, StartProcessRequest.Builder request) {
    this.connection = connection;
    this.sandboxId = sandboxId;
    this.request = request.setSandboxId(sandboxId).setDetached(true).setRequestId(RequestIds.create()).build();
  }

  /** An interruption before the process is known to run kills it as soon as that is known. */
  CommandHandle run(Listeners listeners, @Nullable Duration timeout, boolean check) {
    CommandHandle handle;
    try {
      handle = start(listeners, check);
    } catch (CallInterruptedException interrupted) {
      connection.link().executor().execute(this::killStarted);
      throw interrupted;
    }
    if (timeout != null) handle.startTimer(timeout);
    return handle;
  }

  private CommandHandle start(Listeners listeners, boolean check) {
    var messages =
        connection.withoutRequestTimeout().stream(ProcessServiceGrpc.getStartProcessMethod(), request, Kind.LASTING);
    var opened = false;
    try {
      var first = messages.next();
      if (first == null || !first.hasStarted())
        throw new UnavailableException("the platform does not say that the command started", ErrorDetails.NONE);
      var id = first.getStarted().getProcessId();
      var source = ProcessStream.map(messages, (StartProcessResponse answer) -> ProcessStream.eventOf(answer));
      var events = new ProcessStream(connection, sandboxId, id, Offset.START, source);
      opened = true;
      return new CommandHandle(
          connection, sandboxId, id, first.getStarted().getPid(), events, listeners, check, true);
    } catch (InterruptedException interrupted) {
      throw CallInterruptedException.restoring(interrupted);
    } finally {
      if (!opened) messages.close();
    }
  }

  /** By its request id the process is joined where it has started. */
  private void killStarted() {
    try (var handle = start(Listeners.DEFAULT, false)) {
      handle.kill();
    } catch (DrydockException error) {
      System.getLogger("dev.drydock").log(Level.DEBUG, "a command whose start was interrupted is not killed", error);
    }
  }
}
