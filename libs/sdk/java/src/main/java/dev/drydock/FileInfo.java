package dev.drydock;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * What is at a path.
 *
 * @param name the last part of the path
 * @param path absolute
 * @param type what it is
 * @param sizeBytes of its content
 * @param mode permission bits, such as 0644
 * @param modifyTime when it was changed last
 * @param linkTarget where a symbolic link points; null for anything else
 */
public record FileInfo(
    String name,
    String path,
    FileType type,
    long sizeBytes,
    int mode,
    @Nullable Instant modifyTime,
    @Nullable String linkTarget) {
  static FileInfo of(dev.drydock.internal.v1.FileInfo message) {
    return new FileInfo(
        message.getName(),
        message.getPath(),
        Enums.toKnown(FileType.class, message.getType(), FileType.OTHER),
        message.getSizeBytes(),
        message.getMode(),
        Times.toInstant(message.hasModifyTime(), message.getModifyTime()),
        message.getLinkTarget().isEmpty() ? null : message.getLinkTarget());
  }
}
