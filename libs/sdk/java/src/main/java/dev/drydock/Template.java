package dev.drydock;

import java.util.List;

/**
 * A kind of sandbox.
 *
 * @param id such as {@code python}
 * @param description what it is for
 * @param defaultLimits what a sandbox gets where no limits are set
 * @param languages names of the languages that it runs
 * @param writableRoot whether the root file system can be written to
 */
public record Template(
    String id,
    String description,
    ResourceLimits defaultLimits,
    List<String> languages,
    boolean writableRoot) {
  static Template of(dev.drydock.internal.v1.Template message) {
    return new Template(
        message.getId(),
        message.getDescription(),
        ResourceLimits.of(message.getDefaultLimits()),
        List.copyOf(message.getLanguagesList()),
        message.getWritableRoot());
  }
}
