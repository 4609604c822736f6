package dev.drydock;

import org.jspecify.annotations.Nullable;

/**
 * What an organisation may have at one time. What is absent is the default, or stays as it is; nothing means no limit.
 *
 * @param concurrentSandboxes sandboxes and executions that are waited for, together; 1 to 100,000; default 100
 * @param concurrentExecutions executions of the queue that run at one time; 1 to 10,000; default 16
 * @param queuedExecutions executions that wait in the queue; 1 to 10,000,000; default 100,000
 * @param queueWeight its share of the platform while others have work too; 200 gets twice the turns of 100; 1 to
 *     10,000; default 100
 * @param sharedPool whether its sandboxes may come from the warm pool of all organisations; default true
 */
public record Quota(
    @Nullable Integer concurrentSandboxes,
    @Nullable Integer concurrentExecutions,
    @Nullable Integer queuedExecutions,
    @Nullable Integer queueWeight,
    @Nullable Boolean sharedPool) {
  static Quota of(dev.drydock.internal.v1.Quota message) {
    return new Quota(
        message.hasConcurrentSandboxes() ? message.getConcurrentSandboxes() : null,
        message.hasConcurrentExecutions() ? message.getConcurrentExecutions() : null,
        message.hasQueuedExecutions() ? message.getQueuedExecutions() : null,
        message.hasQueueWeight() ? message.getQueueWeight() : null,
        message.hasSharedPool() ? message.getSharedPool() : null);
  }

  /** What is set of a quota. */
  public static final class Builder {
    final dev.drydock.internal.v1.Quota.Builder message = dev.drydock.internal.v1.Quota.newBuilder();

    Builder() {}

    /**
     * Sets {@link Quota#concurrentSandboxes}.
     *
     * @param concurrentSandboxes sandboxes and executions that are waited for, together; 1 to 100,000; default 100
     * @return this builder
     */
    public Builder concurrentSandboxes(int concurrentSandboxes) {
      message.setConcurrentSandboxes(concurrentSandboxes);
      return this;
    }

    /**
     * Sets {@link Quota#concurrentExecutions}.
     *
     * @param concurrentExecutions executions of the queue that run at one time; 1 to 10,000; default 16
     * @return this builder
     */
    public Builder concurrentExecutions(int concurrentExecutions) {
      message.setConcurrentExecutions(concurrentExecutions);
      return this;
    }

    /**
     * Sets {@link Quota#queuedExecutions}.
     *
     * @param queuedExecutions executions that wait in the queue; 1 to 10,000,000; default 100,000
     * @return this builder
     */
    public Builder queuedExecutions(int queuedExecutions) {
      message.setQueuedExecutions(queuedExecutions);
      return this;
    }

    /**
     * Sets {@link Quota#queueWeight}.
     *
     * @param queueWeight its share of the platform while others have work too; 200 gets twice the turns of 100; 1 to
     *     10,000; default 100
     * @return this builder
     */
    public Builder queueWeight(int queueWeight) {
      message.setQueueWeight(queueWeight);
      return this;
    }

    /**
     * Sets {@link Quota#sharedPool}.
     *
     * @param sharedPool whether its sandboxes may come from the warm pool of all organisations; default true
     * @return this builder
     */
    public Builder sharedPool(boolean sharedPool) {
      message.setSharedPool(sharedPool);
      return this;
    }
  }
}
