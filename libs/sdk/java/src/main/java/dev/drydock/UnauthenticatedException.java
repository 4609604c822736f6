package dev.drydock;

/** There is no credential, or one that is unknown, expired or revoked. */
@SuppressWarnings("serial")
public final class UnauthenticatedException extends DrydockException {
  UnauthenticatedException(String message, ErrorDetails details) {
    super(message, details);
  }
}
