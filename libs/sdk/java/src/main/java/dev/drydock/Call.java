package dev.drydock;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One try of a call. Its answers are pulled, so that a slow reader slows the server. An interruption of the reader leaves the call
 * as it is.
 */
final class Call<Q, A> implements AutoCloseable {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  /** Answers that are under way before the reader asks for the first of them. */
  private static final int ANSWERS_AHEAD = 8;

  private final ClientCall<Q, A> call;
  private final String url;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final ArrayDeque<A> answers = new ArrayDeque<>();
  private @Nullable String requestId;
  private @Nullable Status status;
  private Metadata trailers = new Metadata();

  private Call(ClientCall<Q, A> call, String url) {
    this.call = call;
    this.url = url;
  }

  static <Q, A> Call<Q, A> start(
      Channel channel, MethodDescriptor<Q, A> method, CallOptions options, String credential, String url) {
    var headers = new Metadata();
    headers.put(AUTHORIZATION, "Bearer " + credential);
    Traces.addTo(headers);
    var started = new Call<>(channel.newCall(method, options), url);
    started.call.start(started.new Listener(), headers);
    started.call.request(ANSWERS_AHEAD);
    return started;
  }

  void send(Q request) {
    call.sendMessage(request);
  }

  void sendEnd() {
    call.halfClose();
  }

  /** Waits until a request can be sent without being kept in memory. False where the call has ended. */
  boolean awaitReady() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (status == null && !call.isReady()) changed.await();
      return status == null;
    } finally {
      lock.unlock();
    }
  }

  /** The next answer; null after the last one. */
  @Nullable A next() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (answers.isEmpty() && status == null) changed.await();
      var answer = answers.poll();
      if (answer == null && !status.isOk()) throw Failures.of(status, trailers, requestId, url);
      if (answer != null) call.request(1);
      return answer;
    } finally {
      lock.unlock();
    }
  }

  /** Ends the call where it has not ended. */
  @Override
  public void close() {
    call.cancel("the caller has left", null);
  }

  private void change(Runnable change) {
    lock.lock();
    try {
      change.run();
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private final class Listener extends ClientCall.Listener<A> {
    @Override
    public void onHeaders(Metadata headers) {
      change(() -> requestId = Failures.requestIdIn(headers));
    }

    @Override
    public void onMessage(A message) {
      change(() -> answers.add(message));
    }

    @Override
    public void onClose(Status end, Metadata metadata) {
      change(
          () -> {
            status = end;
            trailers = metadata;
          });
    }

    @Override
    public void onReady() {
      change(() -> {});
    }
  }
}
