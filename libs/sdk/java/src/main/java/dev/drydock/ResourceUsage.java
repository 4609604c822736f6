package dev.drydock;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What a program used, with everything that it started.
 *
 * @param cpuTime summed over all processes
 * @param wallTime by the clock
 * @param peakMemoryBytes the largest amount at one time
 * @param oomKills processes that the kernel ended for want of memory
 */
public record ResourceUsage(Duration cpuTime, Duration wallTime, long peakMemoryBytes, int oomKills) {
  static @Nullable ResourceUsage of(boolean isSet, dev.drydock.internal.v1.ResourceUsage message) {
    if (!isSet) return null;
    return new ResourceUsage(
        Times.toDuration(message.getCpuTime()),
        Times.toDuration(message.getWallTime()),
        message.getPeakMemoryBytes(),
        message.getOomKills());
  }
}
