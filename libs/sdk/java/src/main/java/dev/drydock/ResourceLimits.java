package dev.drydock;

import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What a sandbox or a program may use. What is absent takes the default of the template or the language; nothing means
 * no limit.
 *
 * @param wallTime of one run by the clock, executions only; above 0, to 300 s; default 10 s
 * @param cpuTime of one run with all that it starts, executions only; above 0, to 300 s; default 10 s
 * @param memoryBytes of everything together, files in memory included; there is no swap; 64 MiB to 8 GiB; default: the
 *     template's
 * @param processes processes and threads at one time; 16 to 4,096; default: the template's
 * @param outputBytes of each output, executions only; a program that writes more is stopped; 1 byte to 4 MiB; default
 *     1 MiB
 * @param diskBytes files in the home and in /tmp; 1 MiB to 4 GiB, and at most half of the memory; default: the
 *     template's, or that half
 * @param cpus 0.5 is half of one; 0.05 to 16; default: the template's
 * @param stackBytes of the first thread of each process, executions only; 64 KiB to 4 GiB, and at most half of the
 *     memory; default 64 MiB, or that half
 * @param fileBytes the largest file that a program may write, executions only; 1 byte to {@code diskBytes}, which is
 *     the default
 * @param openFiles of one process, executions only; 16 to 4,096; default 1,024
 */
public record ResourceLimits(
    @Nullable Duration wallTime,
    @Nullable Duration cpuTime,
    @Nullable Long memoryBytes,
    @Nullable Integer processes,
    @Nullable Long outputBytes,
    @Nullable Long diskBytes,
    @Nullable Double cpus,
    @Nullable Long stackBytes,
    @Nullable Long fileBytes,
    @Nullable Integer openFiles) {
  static ResourceLimits of(dev.drydock.internal.v1.ResourceLimits message) {
    return new ResourceLimits(
        message.hasWallTime() ? Times.toDuration(message.getWallTime()) : null,
        message.hasCpuTime() ? Times.toDuration(message.getCpuTime()) : null,
        message.hasMemoryBytes() ? message.getMemoryBytes() : null,
        message.hasProcesses() ? message.getProcesses() : null,
        message.hasOutputBytes() ? message.getOutputBytes() : null,
        message.hasDiskBytes() ? message.getDiskBytes() : null,
        message.hasCpus() ? message.getCpus() : null,
        message.hasStackBytes() ? message.getStackBytes() : null,
        message.hasFileBytes() ? message.getFileBytes() : null,
        message.hasOpenFiles() ? message.getOpenFiles() : null);
  }

  static dev.drydock.internal.v1.ResourceLimits.Builder built(Consumer<Builder> limits) {
    var builder = new Builder();
    limits.accept(builder);
    return builder.message;
  }

  /** What is set of the limits. */
  public static final class Builder {
    final dev.drydock.internal.v1.ResourceLimits.Builder message = dev.drydock.internal.v1.ResourceLimits.newBuilder();

    Builder() {}

    /**
     * Sets {@link ResourceLimits#wallTime}.
     *
     * @param wallTime of one run by the clock, executions only; above 0, to 300 s; default 10 s
     * @return this builder
     */
    public Builder wallTime(Duration wallTime) {
      message.setWallTime(Times.toMessage(Times.positive("wallTime", wallTime)));
      return this;
    }

    /**
     * Sets {@link ResourceLimits#cpuTime}.
     *
     * @param cpuTime of one run with all that it starts, executions only; above 0, to 300 s; default 10 s
     * @return this builder
     */
    public Builder cpuTime(Duration cpuTime) {
      message.setCpuTime(Times.toMessage(Times.positive("cpuTime", cpuTime)));
      return this;
    }

    /**
     * Sets {@link ResourceLimits#memoryBytes}.
     *
     * @param memoryBytes of everything together, files in memory included; there is no swap; 64 MiB to 8 GiB; default:
     *     the template's
     * @return this builder
     */
    public Builder memoryBytes(long memoryBytes) {
      message.setMemoryBytes(memoryBytes);
      return this;
    }

    /**
     * Sets {@link ResourceLimits#processes}.
     *
     * @param processes processes and threads at one time; 16 to 4,096; default: the template's
     * @return this builder
     */
    public Builder processes(int processes) {
      message.setProcesses(processes);
      return this;
    }

    /**
     * Sets {@link ResourceLimits#outputBytes}.
     *
     * @param outputBytes of each output, executions only; a program that writes more is stopped; 1 byte to 4 MiB;
     *     default 1 MiB
     * @return this builder
     */
    public Builder outputBytes(long outputBytes) {
      message.setOutputBytes(outputBytes);
      return this;
    }

    /**
     * Sets {@link ResourceLimits#diskBytes}.
     *
     * @param diskBytes files in the home and in /tmp; 1 MiB to 4 GiB, and at most half of the memory; default: the
     *     template's, or that half
     * @return this builder
     */
    public Builder diskBytes(long diskBytes) {
      message.setDiskBytes(diskBytes);
      return this;
    }

    /**
     * Sets {@link ResourceLimits#cpus}.
     *
     * @param cpus 0.5 is half of one; 0.05 to 16; default: the template's
     * @return this builder
     */
    public Builder cpus(double cpus) {
      message.setCpus(cpus);
      return this;
    }

    /**
     * Sets {@link ResourceLimits#stackBytes}.
     *
     * @param stackBytes of the first thread of each process, executions only; 64 KiB to 4 GiB, and at most half of the
     *     memory; default 64 MiB, or that half
     * @return this builder
     */
    public Builder stackBytes(long stackBytes) {
      message.setStackBytes(stackBytes);
      return this;
    }

    /**
     * Sets {@link ResourceLimits#fileBytes}.
     *
     * @param fileBytes the largest file that a program may write, executions only; 1 byte to {@code diskBytes}, which
     *     is the default
     * @return this builder
     */
    public Builder fileBytes(long fileBytes) {
      message.setFileBytes(fileBytes);
      return this;
    }

    /**
     * Sets {@link ResourceLimits#openFiles}.
     *
     * @param openFiles of one process, executions only; 16 to 4,096; default 1,024
     * @return this builder
     */
    public Builder openFiles(int openFiles) {
      message.setOpenFiles(openFiles);
      return this;
    }
  }
}
