package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.GetSandboxRequest;
import dev.drydock.internal.v1.SandboxServiceGrpc;
import java.util.Map;
import java.util.function.Consumer;

/** The sandboxes of the organisation. */
public final class Sandboxes {
  private final Connection connection;

  Sandboxes(Connection connection) {
    this.connection = connection;
  }

  /**
   * Makes a sandbox with the defaults of its template, and answers when it runs.
   *
   * @param template an id of {@link Templates#list}
   * @return the sandbox; closing it deletes it
   * @throws NotFoundException if there is no such template ({@code TEMPLATE_NOT_FOUND})
   * @throws QuotaExceededException if the organisation has as many as it may
   * @throws NoCapacityException if the platform has no room
   */
  public Sandbox create(String template) {
    return create(template, options -> {});
  }

  /**
   * Makes a sandbox, and answers when it runs.
   *
   * @param template an id of {@link Templates#list}
   * @param options sets lifetime, limits, environment and labels
   * @return the sandbox; closing it deletes it, unless it is kept
   * @throws NotFoundException if there is no such template ({@code TEMPLATE_NOT_FOUND})
   * @throws InvalidArgumentException if an option is out of range
   * @throws QuotaExceededException if the organisation has as many as it may
   * @throws NoCapacityException if the platform has no room
   */
  public Sandbox create(String template, Consumer<SandboxOptions> options) {
    var given = new SandboxOptions();
    options.accept(given);
    var request = given.request.setTemplate(template).setRequestId(RequestIds.create()).build();
    var answer = connection.unary(SandboxServiceGrpc.getCreateSandboxMethod(), request, Kind.SAFE);
    return new Sandbox(connection, SandboxInfo.of(answer.getSandbox()), given.keep);
  }

  /**
   * Finds a sandbox that runs already.
   *
   * @param id of the sandbox
   * @return the sandbox; closing it does not delete it
   * @throws NotFoundException if there is no such sandbox
   * @throws SandboxNotRunningException if it has stopped
   */
  public Sandbox connect(String id) {
    var info = get(id);
    if (info.state() == SandboxState.STOPPED) {
      var metadata = Map.of("state", "STOPPED", "stop_reason", String.valueOf(info.stopReason()));
      throw new SandboxNotRunningException(
          "the sandbox " + id + " has stopped (" + info.stopReason() + ")",
          ErrorDetails.of("SANDBOX_NOT_RUNNING").withReason("SANDBOX_NOT_RUNNING", metadata));
    }
    return new Sandbox(connection, info, true);
  }

  /**
   * Tells of one sandbox, running or stopped.
   *
   * @param id of the sandbox
   * @return how it is now
   * @throws NotFoundException if there is no such sandbox
   */
  public SandboxInfo get(String id) {
    var request = GetSandboxRequest.newBuilder().setSandboxId(id).build();
    return SandboxInfo.of(connection.unary(SandboxServiceGrpc.getGetSandboxMethod(), request, Kind.SAFE).getSandbox());
  }

  /**
   * Lists all sandboxes.
   *
   * @return sandboxes, newest first
   */
  public Paged<SandboxInfo> list() {
    return list(filter -> {});
  }

  /**
   * Lists sandboxes.
   *
   * @param filter says which ones
   * @return sandboxes, newest first
   */
  public Paged<SandboxInfo> list(Consumer<SandboxFilter> filter) {
    var given = new SandboxFilter();
    filter.accept(given);
    var request = given.request.build();
    return new Paged<>(
        pageToken -> {
          var page = request.toBuilder().setPageToken(pageToken).build();
          var answer = connection.unary(SandboxServiceGrpc.getListSandboxesMethod(), page, Kind.SAFE);
          var sandboxes = answer.getSandboxesList().stream().map(SandboxInfo::of).toList();
          return new Paged.Page<>(sandboxes, answer.getNextPageToken());
        });
  }
}
