package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.ProcessExited;
import dev.drydock.internal.v1.ProcessServiceGrpc;
import dev.drydock.internal.v1.ResizeProcessRequest;
import dev.drydock.internal.v1.SignalProcessRequest;
import dev.drydock.internal.v1.TerminalSize;
import java.io.OutputStream;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A command that runs in a sandbox. Either iterate over its events or {@link #await} its end: a program whose output nobody reads
 * waits. It outlives a connection that breaks, and the handle joins it again. Closing the handle ends the reading, not the command.
 */
public final class CommandHandle implements Iterable<CommandEvent>, AutoCloseable {
  /** How long a signal may take. */
  private static final Duration SIGNAL_TIMEOUT = Duration.ofSeconds(10);

  /** Why the command is ended by this client. {@code stands} is false where it turns out to have ended before. */
  private record Ending(RuntimeException reason, CompletableFuture<Boolean> stands) {}

  private final Connection connection;
  private final String sandboxId;
  private final String id;
  private final int pid;
  private final ProcessStream events;
  private final Listeners listeners;
  private final boolean check;
  /** It was started here, so that a listener that throws ends it. */
  private final boolean started;

  private final AtomicReference<@Nullable Ending> ending = new AtomicReference<>();
  private final ReentrantLock reading = new ReentrantLock();
  private final KeptOutput stdout;
  private final KeptOutput stderr;
  private @Nullable CommandResult result;
  private @Nullable RuntimeException failure;
  private volatile @Nullable Future<?> timer;

  CommandHandle(
      Connection connection,
      String sandboxId,
      String id,
      int pid,
      ProcessStream events,
      Listeners listeners,
      boolean check,
      boolean started) {
    this.connection = connection;
    this.sandboxId = sandboxId;
    this.id = id;
    this.pid = pid;
    this.events = events;
    this.listeners = listeners;
    this.check = check;
    this.started = started;
    this.stdout = new KeptOutput(listeners.keptBytes());
    this.stderr = new KeptOutput(listeners.keptBytes());
  }

  /** {@return {@code prc_} and 26 characters, for {@link Commands#connect(String)}} */
  public String id() {
    return id;
  }

  /** {@return the process id inside of the sandbox} */
  public int pid() {
    return pid;
  }

  /** {@return bytes that were read: where {@link ConnectOptions#offset} goes on} */
  public Offset offset() {
    return events.offset();
  }

  /**
   * Writes to standard input of a command that was started with {@link CommandOptions#openStdin}. Each write is a call, and returns
   * when the command's input has taken it; it is not repeated.
   *
   * @return standard input; closing it closes the command's
   */
  public OutputStream stdin() {
    return new InputWriter(connection.withoutRequestTimeout(), sandboxId, id);
  }

  /**
   * Reads events from where the last reader was.
   *
   * @return events until the command has ended
   */
  @Override
  public Iterator<CommandEvent> iterator() {
    return Events.iterate(
        new Events.Source<>() {
          @Override
          public @Nullable CommandEvent next() throws InterruptedException {
            return read();
          }

          @Override
          public void close() {
            CommandHandle.this.close();
          }
        });
  }

  /**
   * Reads to the end. An interruption ends the waiting, not the command.
   *
   * @return what came of the command
   * @throws CommandExitException if the exit code is not 0 and {@link CommandOptions#check} was set
   * @throws DrydockTimeoutException if the command ran longer than its timeout, and was killed
   * @throws OutputLostException if output was written while nobody read, and is no longer kept
   * @throws SandboxNotRunningException if the sandbox stopped under the command
   */
  public CommandResult await() {
    try {
      while (read() != null) {
        // Listeners hear it, and the result keeps it.
      }
      var ended = resultAtEnd();
      if (check && !ended.success()) throw new CommandExitException(ended);
      return ended;
    } catch (InterruptedException interrupted) {
      throw CallInterruptedException.restoring(interrupted);
    }
  }

  /**
   * Reads to the end, as {@link #await} does.
   *
   * @return what comes of the command; cancelling the future ends the waiting, not the command
   */
  public CompletableFuture<CommandResult> awaitAsync() {
    return Futures.run(connection.link().executor(), this::await);
  }

  /**
   * Ends the command with everything that it started.
   *
   * @return whether it still ran
   */
  public boolean kill() {
    return kill("SIGKILL");
  }

  /**
   * Sends a signal.
   *
   * @param signal its name, such as {@code SIGTERM}, which reaches the process group
   * @return whether the command still ran
   */
  public boolean kill(String signal) {
    var request =
        SignalProcessRequest.newBuilder().setSandboxId(sandboxId).setProcessId(id).setSignal(signal).build();
    var kind = signal.equals("SIGKILL") ? Kind.SAFE : Kind.UNSAFE;
    try {
      connection
          .withRequestTimeout(SIGNAL_TIMEOUT)
          .unary(ProcessServiceGrpc.getSignalProcessMethod(), request, kind);
      return true;
    } catch (NotFoundException gone) {
      return false;
    } catch (ConflictException conflict) {
      if (conflict.reason().equals("PROCESS_ENDED")) return false;
      throw conflict;
    }
  }

  /** Ends the reading. The command runs on, to its timeout if it has one, and can be joined by its id. */
  @Override
  public void close() {
    events.close();
  }

  /** Kills the command when its time is over. */
  void startTimer(Duration timeout) {
    var late = new DrydockTimeoutException("the command ran longer than " + timeout.toMillis() + " ms");
    timer = connection.link().after(timeout, () -> end(late));
  }

  /** Kills the command, whether or not the thread is interrupted. Its reader gets the reason. */
  void end(RuntimeException reason) {
    var end = new Ending(reason, new CompletableFuture<>());
    if (!ending.compareAndSet(null, end)) return;
    stopTimer();
    var interrupted = Thread.interrupted();
    var ran = true;
    try {
      ran = kill();
    } catch (DrydockException error) {
      // It adds nothing to the reason.
      reason.addSuppressed(error);
    } finally {
      if (ran) events.close();
      else ending.set(null);
      end.stands().complete(ran);
      if (interrupted) Thread.currentThread().interrupt();
    }
  }

  void resize(int rows, int columns) {
    var request =
        ResizeProcessRequest.newBuilder()
            .setSandboxId(sandboxId)
            .setProcessId(id)
            .setTerminal(TerminalSize.newBuilder().setRows(rows).setColumns(columns))
            .build();
    connection.unary(ProcessServiceGrpc.getResizeProcessMethod(), request, Kind.SAFE);
  }

  private CommandResult resultAtEnd() throws InterruptedException {
    reading.lockInterruptibly();
    try {
      if (failure != null) throw failure;
      return result;
    } finally {
      reading.unlock();
    }
  }

  /** The next event; null after the last one. */
  private @Nullable CommandEvent read() throws InterruptedException {
    reading.lockInterruptibly();
    try {
      if (failure != null) throw failure;
      if (result != null) return null;
      var event = nextEvent();
      if (event instanceof ProcessStream.Event.Exited exited) {
        result = resultOf(exited.exited());
        close();
        stopTimer();
        return new CommandEvent.Exit(result);
      }
      var output = outputOf((ProcessStream.Event.Piece) event);
      (output instanceof CommandEvent.Stdout ? stdout : stderr).add(output.data());
      hear(output);
      return output;
    } finally {
      reading.unlock();
    }
  }

  private ProcessStream.Event nextEvent() throws InterruptedException {
    ProcessStream.Event event = null;
    DrydockException broken = null;
    try {
      event = events.next();
    } catch (DrydockException error) {
      if (error instanceof CallInterruptedException) throw error;
      broken = error;
    }
    var end = ending.get();
    if (end != null && stands(end)) throw fail(end.reason());
    if (broken != null) throw fail(broken);
    return event;
  }

  private static boolean stands(Ending end) throws InterruptedException {
    try {
      return end.stands().get();
    } catch (ExecutionException error) {
      throw new IllegalStateException(error);
    }
  }

  private void hear(CommandEvent.Output output) {
    try {
      listeners.hear(output);
    } catch (RuntimeException error) {
      if (started) end(error);
      throw fail(error);
    }
  }

  private RuntimeException fail(RuntimeException reason) {
    failure = reason;
    close();
    return reason;
  }

  private void stopTimer() {
    var running = timer;
    if (running != null) running.cancel(false);
  }

  private static CommandEvent.Output outputOf(ProcessStream.Event.Piece piece) {
    var data = ProcessStream.bytesOf(piece.output()).toByteArray();
    var offset = piece.output().getOffset();
    return piece.stream() == OutputStreamName.STDOUT
        ? new CommandEvent.Stdout(offset, data)
        : new CommandEvent.Stderr(offset, data);
  }

  private CommandResult resultOf(ProcessExited exited) {
    var usage = ResourceUsage.of(exited.hasUsage(), exited.getUsage());
    return new CommandResult(
        stdout.text(),
        stderr.text(),
        exited.hasExitCode() ? exited.getExitCode() : null,
        exited.getSignal().isEmpty() ? null : exited.getSignal(),
        usage == null ? Duration.ZERO : usage.wallTime(),
        usage,
        stdout.truncated() || stderr.truncated());
  }
}
