package dev.drydock;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Futures of work that blocks. */
final class Futures {
  private Futures() {}

  /** Cancelling the future interrupts the work. */
  static <T> CompletableFuture<T> run(Executor executor, Supplier<T> work) {
    var future = new Interrupting<>(work);
    executor.execute(future);
    return future;
  }

  private static final class Interrupting<T> extends CompletableFuture<T> implements Runnable {
    private final Supplier<T> work;
    private final Object runnerLock = new Object();
    private @Nullable Thread runner;

    Interrupting(Supplier<T> work) {
      this.work = work;
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
      return new CompletableFuture<>();
    }

    @Override
    public void run() {
      synchronized (runnerLock) {
        if (isDone()) return;
        runner = Thread.currentThread();
      }
      try {
        complete(work.get());
      } catch (Throwable error) {
        completeExceptionally(error);
      } finally {
        synchronized (runnerLock) {
          runner = null;
        }
        // The thread is the executor's, and serves others next.
        Thread.interrupted();
      }
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
      var cancelled = super.cancel(mayInterruptIfRunning);
      synchronized (runnerLock) {
        if (cancelled && runner != null) runner.interrupt();
      }
      return cancelled;
    }
  }
}
