package dev.drydock;

/** The platform has no room right now. */
@SuppressWarnings("serial")
public final class NoCapacityException extends DrydockException {
  NoCapacityException(String message, ErrorDetails details) {
    super(message, details);
  }
}
