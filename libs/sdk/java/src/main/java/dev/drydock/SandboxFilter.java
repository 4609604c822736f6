package dev.drydock;

import dev.drydock.internal.v1.ListSandboxesRequest;

/** Which sandboxes are listed. Default: all. */
public final class SandboxFilter {
  final ListSandboxesRequest.Builder request = ListSandboxesRequest.newBuilder();

  SandboxFilter() {}

  /**
   * Lists those in one of these states.
   *
   * @param states default: all
   * @return this filter
   */
  public SandboxFilter states(SandboxState... states) {
    for (var state : states) {
      if (state == SandboxState.UNRECOGNIZED) throw InvalidArgumentException.of("states", "cannot be UNRECOGNIZED");
      request.addStates(dev.drydock.internal.v1.Sandbox.State.valueOf(state.name()));
    }
    return this;
  }

  /**
   * Lists those with this label, and with every other one that is given.
   *
   * @param key of the label
   * @param value of the label
   * @return this filter
   */
  public SandboxFilter metadata(String key, String value) {
    request.addMetadataFilters(key + "=" + value);
    return this;
  }
}
