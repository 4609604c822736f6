package dev.drydock;

/** A state stands in the way: a path that exists, a request id with other content, an execution that still runs. */
@SuppressWarnings("serial")
public final class ConflictException extends DrydockException {
  ConflictException(String message, ErrorDetails details) {
    super(message, details);
  }
}
