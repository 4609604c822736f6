package dev.drydock;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A webhook with a new secret.
 *
 * @param webhook the webhook
 * @param secret {@code whs_…}, which signs deliveries; shown this once
 * @param oldSecretExpireTime until when the secret before it signs too
 */
public record RotatedWebhook(Webhook webhook, String secret, @Nullable Instant oldSecretExpireTime) {
  /** Without the secret. */
  @Override
  public String toString() {
    return "RotatedWebhook[" + webhook + "]";
  }
}
