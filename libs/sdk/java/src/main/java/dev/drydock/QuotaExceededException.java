package dev.drydock;

/** The organisation, or a sandbox, has as much as it may, or makes too many calls. */
@SuppressWarnings("serial")
public final class QuotaExceededException extends DrydockException {
  QuotaExceededException(String message, ErrorDetails details) {
    super(message, details);
  }
}
