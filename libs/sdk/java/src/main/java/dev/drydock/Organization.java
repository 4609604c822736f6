package dev.drydock;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * An organisation.
 *
 * @param id {@code org_} and 26 characters
 * @param displayName what it is called
 * @param quota what it may have at one time
 * @param createTime when it was made
 */
public record Organization(
    String id,
    String displayName,
    Quota quota,
    @Nullable Instant createTime) {
  static Organization of(dev.drydock.internal.v1.Organization message) {
    return new Organization(
        message.getId(),
        message.getDisplayName(),
        Quota.of(message.getQuota()),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()));
  }
}
