package dev.drydock;

/**
 * A new organisation.
 *
 * @param organization the organisation
 * @param apiKey its first API key, with every scope but {@code operator}
 * @param secret the secret of that key, {@code dk_…}, shown this once
 */
public record CreatedOrganization(Organization organization, ApiKey apiKey, String secret) {
  /** Without the secret. */
  @Override
  public String toString() {
    return "CreatedOrganization[" + organization + "]";
  }
}
