package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.DeleteSandboxRequest;
import dev.drydock.internal.v1.SandboxServiceGrpc;
import java.time.Duration;
import java.util.function.Consumer;

/** A sandbox that runs. Closing it deletes it, unless it was made with {@link SandboxOptions#keep}, or connected to. */
public final class Sandbox implements AutoCloseable {
  private final Connection connection;
  private final boolean keep;
  private volatile SandboxInfo info;

  Sandbox(Connection connection, SandboxInfo info, boolean keep) {
    this.connection = connection;
    this.info = info;
    this.keep = keep;
  }

  /**
   * Makes a sandbox by the client that the environment describes. As {@link Sandboxes#create(String, Consumer)}.
   *
   * @param template an id of {@link Templates#list}
   * @param options sets lifetime, limits, environment and labels
   * @return the sandbox
   */
  public static Sandbox create(String template, Consumer<SandboxOptions> options) {
    return EnvironmentClient.get().sandboxes().create(template, options);
  }

  /**
   * Makes a sandbox by the client that the environment describes. As {@link Sandboxes#create(String)}.
   *
   * @param template an id of {@link Templates#list}
   * @return the sandbox
   */
  public static Sandbox create(String template) {
    return EnvironmentClient.get().sandboxes().create(template);
  }

  /**
   * Finds a sandbox by the client that the environment describes. As {@link Sandboxes#connect}.
   *
   * @param id of the sandbox
   * @return the sandbox
   */
  public static Sandbox connect(String id) {
    return EnvironmentClient.get().sandboxes().connect(id);
  }

  /**
   * Lists sandboxes by the client that the environment describes. As {@link Sandboxes#list(Consumer)}.
   *
   * @param filter says which ones
   * @return sandboxes, newest first
   */
  public static Paged<SandboxInfo> list(Consumer<SandboxFilter> filter) {
    return EnvironmentClient.get().sandboxes().list(filter);
  }

  /** {@return {@code sbx_} and 26 characters} */
  public String id() {
    return info.id();
  }

  /** {@return the sandbox as it was told of last: when it was made or found, by {@link #refresh} or {@link #update}} */
  public SandboxInfo info() {
    return info;
  }

  /** {@return commands in the sandbox} */
  public Commands commands() {
    return new Commands(connection, id());
  }

  /** {@return files in the sandbox} */
  public Files files() {
    return new Files(connection, id());
  }

  /** {@return terminals in the sandbox} */
  public Pty pty() {
    return new Pty(connection, id());
  }

  /**
   * Limits the time of calls, as {@link Drydock#withRequestTimeout}. What has a clock of its own, commands and terminals, is not
   * concerned.
   *
   * @param timeout of one call with its repetitions
   * @return the same sandbox; closing it deletes it as this one would
   */
  public Sandbox withRequestTimeout(Duration timeout) {
    return new Sandbox(connection.withRequestTimeout(timeout), info, keep);
  }

  /**
   * Asks how it is now.
   *
   * @return the sandbox, running or stopped
   */
  public SandboxInfo refresh() {
    info = new Sandboxes(connection).get(id());
    return info;
  }

  /**
   * Changes its lifetime, its labels, or both.
   *
   * @param changes says what is changed
   * @return the sandbox as it is now
   * @throws SandboxNotRunningException if it has stopped
   * @throws InvalidArgumentException if a change is out of range
   */
  public SandboxInfo update(Consumer<SandboxUpdate> changes) {
    var given = new SandboxUpdate();
    changes.accept(given);
    var request =
        given.request.setSandboxId(id()).setUpdateMask(given.mask).setRequestId(RequestIds.create()).build();
    info = SandboxInfo.of(connection.unary(SandboxServiceGrpc.getUpdateSandboxMethod(), request, Kind.SAFE).getSandbox());
    return info;
  }

  /**
   * Deletes it with everything in it. That it has stopped already is no error.
   *
   * @return whether it existed
   */
  public boolean kill() {
    var request = DeleteSandboxRequest.newBuilder().setSandboxId(id()).setRequestId(RequestIds.create()).build();
    try {
      connection.unary(SandboxServiceGrpc.getDeleteSandboxMethod(), request, Kind.SAFE);
      return true;
    } catch (NotFoundException gone) {
      return false;
    }
  }

  /** Deletes it, unless it is kept. */
  @Override
  public void close() {
    if (!keep) kill();
  }
}
