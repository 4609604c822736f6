package dev.drydock;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A blob that is there.
 *
 * @param sha256 of its bytes, as 64 lower-case hexadecimal digits
 * @param sizeBytes to 256 MiB
 * @param createTime when it was put first
 */
public record BlobInfo(String sha256, long sizeBytes, @Nullable Instant createTime) {
  static BlobInfo of(dev.drydock.internal.v1.Blob message) {
    return new BlobInfo(
        message.getSha256(),
        message.getSizeBytes(),
        Times.toInstant(message.hasCreateTime(), message.getCreateTime()));
  }
}
