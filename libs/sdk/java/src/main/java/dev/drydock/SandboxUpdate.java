package dev.drydock;

import com.google.protobuf.FieldMask;
import dev.drydock.internal.v1.UpdateSandboxRequest;
import java.time.Duration;
import java.util.Map;

/** What of a sandbox is changed. */
public final class SandboxUpdate {
  final UpdateSandboxRequest.Builder request = UpdateSandboxRequest.newBuilder();
  final FieldMask.Builder mask = FieldMask.newBuilder();

  SandboxUpdate() {}

  /**
   * Changes how long it may live.
   *
   * @param lifetime counted anew from now; 1 s to 24 h
   * @return this change
   */
  public SandboxUpdate lifetime(Duration lifetime) {
    request.setLifetime(Times.toMessage(Times.positive("lifetime", lifetime)));
    mask.addPaths("lifetime");
    return this;
  }

  /**
   * Replaces all labels.
   *
   * @param labels at most 32, keys to 64 and values to 256 characters
   * @return this change
   */
  public SandboxUpdate metadata(Map<String, String> labels) {
    request.clearMetadata().putAllMetadata(labels);
    mask.addPaths("metadata");
    return this;
  }
}
