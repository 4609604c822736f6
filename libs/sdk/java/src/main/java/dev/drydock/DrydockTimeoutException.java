package dev.drydock;

/** The timeout of a command, or a request timeout, is over. */
@SuppressWarnings("serial")
public final class DrydockTimeoutException extends DrydockException {
  DrydockTimeoutException(String message, ErrorDetails details) {
    super(message, details);
  }

  DrydockTimeoutException(String message) {
    super(message, ErrorDetails.of("DEADLINE_TOO_SHORT"));
  }
}
