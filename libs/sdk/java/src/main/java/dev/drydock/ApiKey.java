package dev.drydock;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An API key, without its secret.
 *
 * @param id {@code key_} and 26 characters
 * @param displayName what it is called
 * @param scopes what it may do
 * @param createTime when it was made
 * @param revokeTime when it was revoked; null before
 * @param creatorApiKeyId the key that made it, or the nearest one before that which is still listed; empty for the first key of an organisation
 * @param expireTime from when on no call is begun with it; null for never
 */
public record ApiKey(
    String id,
    String displayName,
    List<String> scopes,
    @Nullable Instant createTime,
    @Nullable Instant revokeTime,
    String creatorApiKeyId,
    @Nullable Instant expireTime) {
  static ApiKey of(dev.drydock.internal.v1.ApiKey message) {
    return new ApiKey(
        message.getId(),
        message.getDisplayName(),
        List.copyOf(message.getScopesList()),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()),
        Times.toInstant(message.hasRevokeTime(), message.getRevokeTime()),
        message.getCreatorApiKeyId(),
        Times.toInstant(message.hasExpireTime(), message.getExpireTime()));
  }
}
