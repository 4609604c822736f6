package dev.drydock;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** One HTTP/2 connection, made at the first call and again whenever it breaks, and the threads of a client. */
final class Link {
  /** Bytes of the largest answer. */
  private static final int MAX_MESSAGE_BYTES = 48 * 1024 * 1024;

  private static final AtomicInteger THREADS = new AtomicInteger();

  private final Settings settings;
  private final int maxRetries;
  private final ManagedChannel channel;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final ScheduledExecutorService timer;
  private final Executor executor;

  Link(Settings settings, byte @Nullable [] authorities, int maxRetries, @Nullable Executor executor) {
    this.settings = settings;
    this.maxRetries = maxRetries;
    this.executor = executor == null ? Executors.newCachedThreadPool(Link::daemon) : executor;
    this.channel = openChannel(settings, authorities);
    var timers = new ScheduledThreadPoolExecutor(1, Link::daemon);
    timers.setRemoveOnCancelPolicy(true);
    timers.setKeepAliveTime(10, TimeUnit.SECONDS);
    timers.allowCoreThreadTimeOut(true);
    this.timer = timers;
  }

  Settings settings() {
    return settings;
  }

  int maxRetries() {
    return maxRetries;
  }

  ManagedChannel channel() {
    return channel;
  }

  /** Runs what blocks: calls of which the caller has a future. */
  Executor executor() {
    return executor;
  }

  /** Runs {@code act} on the executor after this time. */
  ScheduledFuture<?> after(Duration time, Runnable act) {
    return timer.schedule(() -> executor.execute(act), time.toMillis(), TimeUnit.MILLISECONDS);
  }

  boolean isClosed() {
    return closed.getCount() == 0;
  }

  /** Waits this long at most. Tells whether it is closed. */
  boolean awaitClosed(Duration wait) throws InterruptedException {
    return closed.await(wait.toNanos(), TimeUnit.NANOSECONDS);
  }

  void close() {
    closed.countDown();
    channel.shutdownNow();
    timer.shutdownNow();
  }

  private static ManagedChannel openChannel(Settings settings, byte @Nullable [] authorities) {
    return Grpc.newChannelBuilderForAddress(settings.host(), settings.port(), credentialsOf(settings, authorities))
        .userAgent("drydock-java/" + Drydock.VERSION)
        .maxInboundMessageSize(MAX_MESSAGE_BYTES)
        .keepAliveTime(20, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        // Listeners only hand over to the threads that wait.
        .directExecutor()
        .build();
  }

  private static io.grpc.ChannelCredentials credentialsOf(Settings settings, byte @Nullable [] authorities) {
    if (!settings.tls()) return InsecureChannelCredentials.create();
    if (authorities == null) return TlsChannelCredentials.create();
    try {
      return TlsChannelCredentials.newBuilder().trustManager(new ByteArrayInputStream(authorities)).build();
    } catch (IOException error) {
      throw new InvalidArgumentException("the certificates of the authorities are not PEM", ErrorDetails.NONE.withCause(error));
    }
  }

  private static Thread daemon(Runnable work) {
    var thread = new Thread(work, "drydock-" + THREADS.incrementAndGet());
    thread.setDaemon(true);
    return thread;
  }
}
