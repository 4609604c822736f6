package dev.drydock;

import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A sandbox, as the platform told of it.
 *
 * @param id {@code sbx_} and 26 characters
 * @param template what it was made of
 * @param state where it is in its life
 * @param stopReason null until it has stopped
 * @param limits every limit, as applied
 * @param metadata the caller's own labels
 * @param createTime when it was asked for
 * @param startTime when it ran; null before
 * @param expireTime when it is destroyed unless its lifetime is changed; null before it runs
 * @param stopTime when it stopped; null before
 */
public record SandboxInfo(
    String id,
    String template,
    SandboxState state,
    @Nullable StopReason stopReason,
    ResourceLimits limits,
    Map<String, String> metadata,
    @Nullable Instant createTime,
    @Nullable Instant startTime,
    @Nullable Instant expireTime,
    @Nullable Instant stopTime) {
  static SandboxInfo of(dev.drydock.internal.v1.Sandbox message) {
    return new SandboxInfo(
        message.getId(),
        message.getTemplate(),
        Enums.toKnown(SandboxState.class, message.getState(), SandboxState.UNRECOGNIZED),
        Enums.toSet(StopReason.class, message.getStopReason(), StopReason.UNRECOGNIZED),
        ResourceLimits.of(message.getLimits()),
        Map.copyOf(message.getMetadataMap()),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()),
        Times.toInstant(message.hasStartTime(), message.getStartTime()),
        Times.toInstant(message.hasExpireTime(), message.getExpireTime()),
        Times.toInstant(message.hasStopTime(), message.getStopTime()));
  }
}
