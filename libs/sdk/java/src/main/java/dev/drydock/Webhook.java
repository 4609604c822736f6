package dev.drydock;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * An address that hears of executions of the queue that have ended.
 *
 * @param id {@code whk_} and 26 characters
 * @param url where deliveries are sent
 * @param createTime when it was made
 */
public record Webhook(
    String id,
    String url,
    @Nullable Instant createTime) {
  static Webhook of(dev.drydock.internal.v1.Webhook message) {
    return new Webhook(
        message.getId(),
        message.getUrl(),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()));
  }
}
