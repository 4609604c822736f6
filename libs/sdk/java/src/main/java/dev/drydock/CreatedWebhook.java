package dev.drydock;

/**
 * A new webhook.
 *
 * @param webhook the webhook
 * @param secret {@code whs_…}, which signs deliveries; shown this once
 */
public record CreatedWebhook(Webhook webhook, String secret) {
  /** Without the secret. */
  @Override
  public String toString() {
    return "CreatedWebhook[" + webhook + "]";
  }
}
