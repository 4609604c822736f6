package dev.drydock;

import com.google.protobuf.FieldMask;
import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.AuthServiceGrpc;
import dev.drydock.internal.v1.CreateOrganizationRequest;
import dev.drydock.internal.v1.DeleteOrganizationRequest;
import dev.drydock.internal.v1.GetOrganizationRequest;
import dev.drydock.internal.v1.ListOrganizationsRequest;
import dev.drydock.internal.v1.UpdateOrganizationRequest;
import java.util.function.Consumer;

/** Organisations. All but {@link #get} of the caller's own need the scope {@code operator}. */
public final class Organizations {
  private final Connection connection;

  Organizations(Connection connection) {
    this.connection = connection;
  }

  /** What of an organisation is changed. */
  public static final class Update {
    final UpdateOrganizationRequest.Builder request = UpdateOrganizationRequest.newBuilder();
    final FieldMask.Builder mask = FieldMask.newBuilder();

    Update() {}

    /**
     * Changes what it is called.
     *
     * @param displayName to 128 characters
     * @return this change
     */
    public Update displayName(String displayName) {
      request.setDisplayName(displayName);
      mask.addPaths("display_name");
      return this;
    }

    /**
     * Changes what it may have at one time.
     *
     * @param quota sets what does not stay as it is
     * @return this change
     */
    public Update quota(Consumer<Quota.Builder> quota) {
      request.setQuota(built(quota));
      mask.addPaths("quota");
      return this;
    }
  }

  /**
   * Makes an organisation with the default quota, and its first API key.
   *
   * @param displayName to 128 characters
   * @return the organisation with the secret of its key
   */
  public CreatedOrganization create(String displayName) {
    return create(displayName, quota -> {});
  }

  /**
   * Makes an organisation and its first API key.
   *
   * @param displayName to 128 characters
   * @param quota sets what is not to be the default
   * @return the organisation with the secret of its key
   * @throws InvalidArgumentException if a quota is out of range
   */
  public CreatedOrganization create(String displayName, Consumer<Quota.Builder> quota) {
    var request =
        CreateOrganizationRequest.newBuilder()
            .setDisplayName(displayName)
            .setQuota(built(quota))
            .setRequestId(RequestIds.create())
            .build();
    var answer = connection.unary(AuthServiceGrpc.getCreateOrganizationMethod(), request, Kind.SAFE);
    return new CreatedOrganization(
        Organization.of(answer.getOrganization()), ApiKey.of(answer.getApiKey()), answer.getSecret());
  }

  /**
   * Tells of one organisation.
   *
   * @param id of the organisation
   * @return how it is now
   * @throws NotFoundException if there is no such organisation
   */
  public Organization get(String id) {
    var request = GetOrganizationRequest.newBuilder().setOrganizationId(id).build();
    return Organization.of(
        connection.unary(AuthServiceGrpc.getGetOrganizationMethod(), request, Kind.SAFE).getOrganization());
  }

  /** {@return organisations, newest first} */
  public Paged<Organization> list() {
    return new Paged<>(
        pageToken -> {
          var request = ListOrganizationsRequest.newBuilder().setPageToken(pageToken).build();
          var answer = connection.unary(AuthServiceGrpc.getListOrganizationsMethod(), request, Kind.SAFE);
          return new Paged.Page<>(
              answer.getOrganizationsList().stream().map(Organization::of).toList(), answer.getNextPageToken());
        });
  }

  /**
   * Changes an organisation.
   *
   * @param id of the organisation
   * @param changes says what is changed
   * @return the organisation as it is now
   * @throws NotFoundException if there is no such organisation
   * @throws InvalidArgumentException if a change is out of range
   */
  public Organization update(String id, Consumer<Update> changes) {
    var given = new Update();
    changes.accept(given);
    var request =
        given
            .request
            .setOrganizationId(id)
            .setUpdateMask(given.mask)
            .setRequestId(RequestIds.create())
            .build();
    return Organization.of(
        connection.unary(AuthServiceGrpc.getUpdateOrganizationMethod(), request, Kind.SAFE).getOrganization());
  }

  /**
   * Deletes an organisation. Its keys are revoked at once; what it has ends soon after.
   *
   * @param id of the organisation
   * @throws NotFoundException if there is no such organisation
   */
  public void delete(String id) {
    var request =
        DeleteOrganizationRequest.newBuilder().setOrganizationId(id).setRequestId(RequestIds.create()).build();
    connection.unary(AuthServiceGrpc.getDeleteOrganizationMethod(), request, Kind.SAFE);
  }

  private static dev.drydock.internal.v1.Quota built(Consumer<Quota.Builder> quota) {
    var builder = new Quota.Builder();
    quota.accept(builder);
    return builder.message.build();
  }
}
