package dev.drydock;

/** The thread was interrupted under a call; its interrupt status is set again. Whether the platform did what was asked is not known. */
@SuppressWarnings("serial")
public final class CallInterruptedException extends DrydockException {
  CallInterruptedException(InterruptedException cause) {
    super("the thread was interrupted under the call", ErrorDetails.of("INTERRUPTED").withCause(cause));
  }

  /** Leaves the interrupt status as the caller of a method that cannot throw InterruptedException finds it. */
  static CallInterruptedException restoring(InterruptedException cause) {
    Thread.currentThread().interrupt();
    return new CallInterruptedException(cause);
  }
}
