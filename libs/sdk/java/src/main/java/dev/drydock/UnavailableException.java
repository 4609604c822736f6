package dev.drydock;

/** The platform, or a part of it, cannot be reached. */
@SuppressWarnings("serial")
public class UnavailableException extends DrydockException {
  UnavailableException(String message, ErrorDetails details) {
    super(message, details);
  }
}
