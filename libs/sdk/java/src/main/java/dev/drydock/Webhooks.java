package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.CreateWebhookRequest;
import dev.drydock.internal.v1.DeleteWebhookRequest;
import dev.drydock.internal.v1.GetWebhookRequest;
import dev.drydock.internal.v1.ListWebhookDeliveriesRequest;
import dev.drydock.internal.v1.ListWebhooksRequest;
import dev.drydock.internal.v1.RedeliverWebhookRequest;
import dev.drydock.internal.v1.RotateWebhookSecretRequest;
import dev.drydock.internal.v1.WebhookServiceGrpc;

/** Where the organisation hears of executions of the queue that have ended. */
public final class Webhooks {
  private final Connection connection;

  Webhooks(Connection connection) {
    this.connection = connection;
  }

  /**
   * Makes a webhook.
   *
   * @param url http or https, without user, password or fragment; to 2,048 characters
   * @return the webhook with its secret
   * @throws InvalidArgumentException if the address is none that deliveries may be sent to
   * @throws QuotaExceededException if the organisation has 10
   */
  public CreatedWebhook create(String url) {
    var request = CreateWebhookRequest.newBuilder().setUrl(url).setRequestId(RequestIds.create()).build();
    var answer = connection.unary(WebhookServiceGrpc.getCreateWebhookMethod(), request, Kind.SAFE);
    return new CreatedWebhook(Webhook.of(answer.getWebhook()), answer.getSecret());
  }

  /**
   * Tells of one webhook.
   *
   * @param id of the webhook
   * @return the webhook
   * @throws NotFoundException if there is no such webhook
   */
  public Webhook get(String id) {
    var request = GetWebhookRequest.newBuilder().setWebhookId(id).build();
    return Webhook.of(connection.unary(WebhookServiceGrpc.getGetWebhookMethod(), request, Kind.SAFE).getWebhook());
  }

  /** {@return webhooks, newest first} */
  public Paged<Webhook> list() {
    return new Paged<>(
        pageToken -> {
          var request = ListWebhooksRequest.newBuilder().setPageToken(pageToken).build();
          var answer = connection.unary(WebhookServiceGrpc.getListWebhooksMethod(), request, Kind.SAFE);
          return new Paged.Page<>(
              answer.getWebhooksList().stream().map(Webhook::of).toList(), answer.getNextPageToken());
        });
  }

  /**
   * Deletes a webhook with its deliveries.
   *
   * @param id of the webhook
   * @throws NotFoundException if there is no such webhook
   */
  public void delete(String id) {
    var request = DeleteWebhookRequest.newBuilder().setWebhookId(id).build();
    connection.unary(WebhookServiceGrpc.getDeleteWebhookMethod(), request, Kind.UNSAFE);
  }

  /**
   * Makes a new secret. The one before it signs too, for another 24 hours.
   *
   * @param id of the webhook
   * @return the webhook with its new secret
   * @throws NotFoundException if there is no such webhook
   */
  public RotatedWebhook rotateSecret(String id) {
    var request = RotateWebhookSecretRequest.newBuilder().setWebhookId(id).build();
    var answer = connection.unary(WebhookServiceGrpc.getRotateWebhookSecretMethod(), request, Kind.UNSAFE);
    return new RotatedWebhook(
        Webhook.of(answer.getWebhook()),
        answer.getSecret(),
        Times.toInstant(answer.hasOldSecretExpireTime(), answer.getOldSecretExpireTime()));
  }

  /**
   * Lists what became of the deliveries of a webhook.
   *
   * @param id of the webhook
   * @return deliveries, newest first
   */
  public Paged<WebhookDelivery> deliveries(String id) {
    return new Paged<>(
        pageToken -> {
          var request = ListWebhookDeliveriesRequest.newBuilder().setWebhookId(id).setPageToken(pageToken).build();
          var answer = connection.unary(WebhookServiceGrpc.getListWebhookDeliveriesMethod(), request, Kind.SAFE);
          return new Paged.Page<>(
              answer.getDeliveriesList().stream().map(WebhookDelivery::of).toList(), answer.getNextPageToken());
        });
  }

  /**
   * Sends a delivery again, whether it arrived or not.
   *
   * @param id of the webhook
   * @param deliveryId of the delivery
   * @return the delivery
   * @throws NotFoundException if there is no such webhook or delivery
   */
  public WebhookDelivery redeliver(String id, String deliveryId) {
    var request = RedeliverWebhookRequest.newBuilder().setWebhookId(id).setDeliveryId(deliveryId).build();
    return WebhookDelivery.of(
        connection.unary(WebhookServiceGrpc.getRedeliverWebhookMethod(), request, Kind.UNSAFE).getDelivery());
  }
}
