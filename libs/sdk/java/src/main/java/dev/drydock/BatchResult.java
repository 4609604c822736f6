package dev.drydock;

/** What came of one member of a batch. */
public sealed interface BatchResult {
  /**
   * It is in the queue.
   *
   * @param job the execution
   */
  record Queued(Job job) implements BatchResult {}

  /**
   * It was refused; the others are not concerned.
   *
   * @param error what {@link Executions#submit} would have thrown
   */
  record Refused(DrydockException error) implements BatchResult {}
}
