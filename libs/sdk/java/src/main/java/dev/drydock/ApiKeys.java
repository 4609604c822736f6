package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.AuthServiceGrpc;
import dev.drydock.internal.v1.CreateApiKeyRequest;
import dev.drydock.internal.v1.ListApiKeysRequest;
import dev.drydock.internal.v1.RevokeApiKeyRequest;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;

/** The organisation's API keys. The credential needs the scope {@code keys}. */
public final class ApiKeys {
  private final Connection connection;

  ApiKeys(Connection connection) {
    this.connection = connection;
  }

  /** Options of a new key. */
  public static final class Options {
    final CreateApiKeyRequest.Builder request = CreateApiKeyRequest.newBuilder();

    Options() {}

    /**
     * Sets what the key may do.
     *
     * @param scopes at most the caller's own, which are the default, but for {@code operator}
     * @return these options
     */
    public Options scopes(String... scopes) {
      request.addAllScopes(List.of(scopes));
      return this;
    }

    /**
     * Sets from when on no call is begun with the key.
     *
     * @param time in the future, and not after that of the caller's own key, which is the default
     * @return these options
     */
    public Options expireTime(Instant time) {
      request.setExpireTime(Times.toMessage(time));
      return this;
    }
  }

  /**
   * Makes a key with the caller's own scopes.
   *
   * @param displayName to 128 characters
   * @return the key with its secret
   * @throws QuotaExceededException if the organisation has as many as it may
   */
  public CreatedApiKey create(String displayName) {
    return create(displayName, options -> {});
  }

  /**
   * Makes a key with at most the caller's own scopes.
   *
   * @param displayName to 128 characters
   * @param options sets scopes and how long it lives
   * @return the key with its secret
   * @throws QuotaExceededException if the organisation has as many as it may
   */
  public CreatedApiKey create(String displayName, Consumer<Options> options) {
    var given = new Options();
    options.accept(given);
    var request = given.request.setDisplayName(displayName).setRequestId(RequestIds.create()).build();
    var answer = connection.unary(AuthServiceGrpc.getCreateApiKeyMethod(), request, Kind.SAFE);
    return new CreatedApiKey(ApiKey.of(answer.getApiKey()), answer.getSecret());
  }

  /** {@return keys, newest first; those that were revoked or expired are there for 30 days} */
  public Paged<ApiKey> list() {
    return new Paged<>(
        pageToken -> {
          var request = ListApiKeysRequest.newBuilder().setPageToken(pageToken).build();
          var answer = connection.unary(AuthServiceGrpc.getListApiKeysMethod(), request, Kind.SAFE);
          return new Paged.Page<>(answer.getApiKeysList().stream().map(ApiKey::of).toList(), answer.getNextPageToken());
        });
  }

  /**
   * Ends a key with its tokens.
   *
   * @param id of the key
   * @throws NotFoundException if there is no such key
   */
  public void revoke(String id) {
    revoke(id, false);
  }

  /**
   * Ends a key with its tokens, and the keys that it made, and those that these made.
   *
   * @param id of the key
   * @throws NotFoundException if there is no such key
   */
  public void revokeWithDescendants(String id) {
    revoke(id, true);
  }

  private void revoke(String id, boolean descendants) {
    var request = RevokeApiKeyRequest.newBuilder().setApiKeyId(id).setRevokeDescendants(descendants).build();
    connection.unary(AuthServiceGrpc.getRevokeApiKeyMethod(), request, Kind.SAFE);
  }
}
