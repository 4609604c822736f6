package dev.drydock;

import dev.drydock.internal.v1.CreateSandboxRequest;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;

/** Options of a new sandbox. */
public final class SandboxOptions {
  final CreateSandboxRequest.Builder request = CreateSandboxRequest.newBuilder();
  boolean keep;

  SandboxOptions() {}

  /**
   * Sets how long it may live.
   *
   * @param lifetime 1 s to 24 h; default 5 minutes
   * @return these options
   */
  public SandboxOptions lifetime(Duration lifetime) {
    request.setLifetime(Times.toMessage(Times.positive("lifetime", lifetime)));
    return this;
  }

  /**
   * Sets what it may use.
   *
   * @param limits sets those that are not to be the template's
   * @return these options
   */
  public SandboxOptions limits(Consumer<ResourceLimits.Builder> limits) {
    request.setLimits(ResourceLimits.built(limits));
    return this;
  }

  /**
   * Adds a variable of every command.
   *
   * @param name {@code [A-Za-z_][A-Za-z0-9_]*}; at most 128 variables, 32 KiB in all
   * @param value its value
   * @return these options
   */
  public SandboxOptions environment(String name, String value) {
    request.putEnvironment(name, value);
    return this;
  }

  /**
   * Adds variables of every command.
   *
   * @param variables by name; at most 128, 32 KiB in all
   * @return these options
   */
  public SandboxOptions environment(Map<String, String> variables) {
    request.putAllEnvironment(variables);
    return this;
  }

  /**
   * Adds a label of your own, to find it by.
   *
   * @param key to 64 characters; at most 32 labels
   * @param value to 256 characters
   * @return these options
   */
  public SandboxOptions metadata(String key, String value) {
    request.putMetadata(key, value);
    return this;
  }

  /**
   * Adds labels of your own, to find it by.
   *
   * @param labels at most 32, keys to 64 and values to 256 characters
   * @return these options
   */
  public SandboxOptions metadata(Map<String, String> labels) {
    request.putAllMetadata(labels);
    return this;
  }

  /**
   * Lets it live on when {@link Sandbox#close} is called.
   *
   * @return these options
   */
  public SandboxOptions keep() {
    keep = true;
    return this;
  }
}
