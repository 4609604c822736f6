package dev.drydock;

/** There is no such thing in the caller's organisation. */
@SuppressWarnings("serial")
public final class NotFoundException extends DrydockException {
  NotFoundException(String message, ErrorDetails details) {
    super(message, details);
  }
}
