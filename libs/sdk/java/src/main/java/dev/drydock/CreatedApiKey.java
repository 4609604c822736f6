package dev.drydock;

/**
 * A new API key.
 *
 * @param apiKey the key
 * @param secret {@code dk_…}, shown this once
 */
public record CreatedApiKey(ApiKey apiKey, String secret) {
  /** Without the secret. */
  @Override
  public String toString() {
    return "CreatedApiKey[" + apiKey + "]";
  }
}
