package dev.drydock;

import dev.drydock.internal.v1.AuthServiceGrpc;
import dev.drydock.internal.v1.ExchangeTokenRequest;
import io.grpc.CallOptions;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Makes calls: with a credential, within their time, and again where that is safe. What it throws for a call is a
 * {@link DrydockException}.
 */
final class Connection {
  static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(60);
  /** What the timers of the platform hold, about 24.8 days; a longer one would be over at once. */
  private static final Duration LONGEST_TIMEOUT = Duration.ofMillis(Integer.MAX_VALUE);

  private static final Logger LOG = System.getLogger("dev.drydock");

  /**
   * How a call is made.
   *
   * @param repeatable making it twice does what making it once does
   * @param once its requests come from a source that can be read only once, so it is not even made again where its token was refused
   * @param limited it takes at most the default time unless the caller set another one
   */
  record Kind(boolean repeatable, boolean once, boolean limited) {
    static final Kind SAFE = new Kind(true, false, true);
    static final Kind UNSAFE = new Kind(false, false, true);
    /** It lasts as long as a program or a transfer. */
    static final Kind LASTING = new Kind(true, false, false);

    static final Kind LASTING_UNSAFE = new Kind(false, false, false);
    static final Kind LASTING_ONCE = new Kind(false, true, false);
  }

  /** Sends the requests of an upload. */
  interface Source<Q> {
    void sendTo(Call<Q, ?> call) throws IOException, InterruptedException;
  }

  private interface Attempt<T> {
    T make(String credential, CallOptions options) throws InterruptedException;
  }

  private final Link link;
  private final Tokens tokens;
  private final @Nullable Duration requestTimeout;

  Connection(Link link, @Nullable Duration requestTimeout) {
    this.link = link;
    this.requestTimeout = requestTimeout;
    this.tokens = new Tokens(link.settings().apiKey(), this::exchange, System::nanoTime);
  }

  private Connection(Connection of, @Nullable Duration requestTimeout) {
    this.link = of.link;
    this.tokens = of.tokens;
    this.requestTimeout = requestTimeout;
  }

  /** The same connection, whose calls take at most this time each. */
  Connection withRequestTimeout(Duration timeout) {
    return new Connection(this, Times.positive("requestTimeout", timeout));
  }

  /** The same connection, for calls that last as long as a program. */
  Connection withoutRequestTimeout() {
    return requestTimeout == null ? this : new Connection(this, null);
  }

  Link link() {
    return link;
  }

  <Q, A> A unary(MethodDescriptor<Q, A> method, Q request, Kind kind) {
    return run(
        method,
        kind,
        (credential, options) -> {
          try (var call = Call.start(link.channel(), method, options, credential, link.settings().url())) {
            call.send(request);
            call.sendEnd();
            return answerOf(call);
          }
        });
  }

  /** Repeats the call until its first answer at most. */
  <Q, A> Messages<A> stream(MethodDescriptor<Q, A> method, Q request, Kind kind) {
    return run(
        method,
        kind,
        (credential, options) -> {
          var call = Call.start(link.channel(), method, options, credential, link.settings().url());
          var opened = false;
          try {
            call.send(request);
            call.sendEnd();
            var messages = new Opened<>(call, call.next());
            opened = true;
            return messages;
          } finally {
            if (!opened) call.close();
          }
        });
  }

  /** Sends what {@code source} has, as fast as it is taken; the source is asked for each try. */
  <Q, A> A upload(MethodDescriptor<Q, A> method, Source<Q> source, Kind kind) {
    return run(
        method,
        kind,
        (credential, options) -> {
          try (var call = Call.start(link.channel(), method, options, credential, link.settings().url())) {
            source.sendTo(call);
            call.sendEnd();
            return answerOf(call);
          } catch (IOException error) {
            throw new java.io.UncheckedIOException(error);
          }
        });
  }

  /** Begins an upload whose requests the caller sends, and which the caller ends. It is made once. */
  <Q, A> Call<Q, A> open(MethodDescriptor<Q, A> method) {
    return run(
        method,
        Kind.LASTING_ONCE,
        (credential, options) -> Call.start(link.channel(), method, options, credential, link.settings().url()));
  }

  /** Waits this long, unless the client is closed meanwhile. Then the next call tries to connect at once. */
  void pause(Duration wait) throws InterruptedException {
    if (link.awaitClosed(wait)) throw new ClientClosedException();
    link.channel().resetConnectBackoff();
  }

  /** What is thrown under a closed client has that reason. */
  DrydockException explain(DrydockException error) {
    return link.isClosed() && !(error instanceof ClientClosedException) ? new ClientClosedException() : error;
  }

  static <A> A answerOf(Call<?, A> call) throws InterruptedException {
    var answer = call.next();
    // The status comes after the answer.
    call.next();
    if (answer == null) throw new UnavailableException("the call ended without an answer", ErrorDetails.NONE);
    return answer;
  }

  private String exchange(@Nullable Deadline deadline) throws InterruptedException {
    var own = Deadline.after(DEFAULT_TIMEOUT.toNanos(), TimeUnit.NANOSECONDS);
    var options = CallOptions.DEFAULT.withDeadline(deadline == null ? own : own.minimum(deadline));
    var settings = link.settings();
    try (var call =
        Call.start(link.channel(), AuthServiceGrpc.getExchangeTokenMethod(), options, settings.apiKey(), settings.url())) {
      call.send(ExchangeTokenRequest.getDefaultInstance());
      call.sendEnd();
      return answerOf(call).getToken();
    }
  }

  /** Tries a call until it succeeds, fails for good, or no try is left. */
  private <T> T run(MethodDescriptor<?, ?> method, Kind kind, Attempt<T> attempt) {
    var deadline = deadlineOf(kind);
    var options = deadline == null ? CallOptions.DEFAULT : CallOptions.DEFAULT.withDeadline(deadline);
    var renewed = false;
    for (var tries = 1; ; ) {
      if (link.isClosed()) throw new ClientClosedException();
      var began = System.nanoTime();
      String credential = null;
      try {
        credential = tokens.get(deadline);
        var result = attempt.make(credential, options);
        log(method, tries, began, "OK");
        return result;
      } catch (InterruptedException interrupted) {
        throw CallInterruptedException.restoring(interrupted);
      } catch (DrydockException error) {
        log(method, tries, began, error.reason());
        if (link.isClosed()) throw new ClientClosedException();
        if (error instanceof UnauthenticatedException && credential != null) {
          if (renewed || kind.once() || !tokens.refused(credential)) throw error;
          renewed = true;
          continue;
        }
        // What had no credential yet was not made.
        awaitRetry(tries, error, kind.repeatable() || credential == null, deadline);
        tries += 1;
      }
    }
  }

  private void awaitRetry(int tries, DrydockException error, boolean mayRepeat, @Nullable Deadline deadline) {
    if (tries > link.maxRetries() || !mayRepeat || !Retries.isPassing(error)) throw error;
    var wait = Retries.waitAfter(tries, error);
    if (deadline != null && wait.toNanos() >= deadline.timeRemaining(TimeUnit.NANOSECONDS)) throw error;
    try {
      pause(wait);
    } catch (InterruptedException interrupted) {
      throw CallInterruptedException.restoring(interrupted);
    }
  }

  private @Nullable Deadline deadlineOf(Kind kind) {
    var timeout = requestTimeout == null && kind.limited() ? DEFAULT_TIMEOUT : requestTimeout;
    if (timeout == null || timeout.compareTo(LONGEST_TIMEOUT) > 0) return null;
    return Deadline.after(timeout.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Neither keys nor what is sent or answered. */
  private static void log(MethodDescriptor<?, ?> method, int tries, long began, String outcome) {
    if (!LOG.isLoggable(Level.DEBUG)) return;
    var millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
    LOG.log(Level.DEBUG, "{0} try {1}: {2} after {3} ms", method.getBareMethodName(), tries, outcome, millis);
  }

  private final class Opened<A> implements Messages<A> {
    private final Call<?, A> call;
    private @Nullable A first;

    Opened(Call<?, A> call, @Nullable A first) {
      this.call = call;
      this.first = first;
    }

    @Override
    public @Nullable A next() throws InterruptedException {
      var answer = first;
      first = null;
      try {
        return answer == null ? call.next() : answer;
      } catch (DrydockException error) {
        throw explain(error);
      }
    }

    @Override
    public void close() {
      call.close();
    }
  }
}
