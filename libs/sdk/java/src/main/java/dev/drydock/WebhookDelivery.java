package dev.drydock;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The end of one execution, told to one webhook.
 *
 * @param id {@code dlv_} and 26 characters
 * @param executionId which execution
 * @param state where it is
 * @param attempts how many times it was sent
 * @param lastStatusCode HTTP status of the last answer; 0 where there was none
 * @param lastError why the last try failed, in words; empty where it did not
 * @param createTime when it was made
 * @param lastAttemptTime when the last try ended; null before
 * @param nextAttemptTime when it is tried next; null while it is being sent, and once it is over
 */
public record WebhookDelivery(
    String id,
    String executionId,
    DeliveryState state,
    int attempts,
    int lastStatusCode,
    String lastError,
    @Nullable Instant createTime,
    @Nullable Instant lastAttemptTime,
    @Nullable Instant nextAttemptTime) {
  static WebhookDelivery of(dev.drydock.internal.v1.WebhookDelivery message) {
    return new WebhookDelivery(
        message.getId(),
        message.getExecutionId(),
        Enums.toKnown(DeliveryState.class, message.getState(), DeliveryState.UNRECOGNIZED),
        message.getAttempts(),
        message.getLastStatusCode(),
        message.getLastError(),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()),
        Times.toInstant(message.hasLastAttemptTime(), message.getLastAttemptTime()),
        Times.toInstant(message.hasNextAttemptTime(), message.getNextAttemptTime()));
  }
}
