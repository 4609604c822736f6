package dev.drydock;

/** The credential, or the sandbox's user, may not do that. */
@SuppressWarnings("serial")
public final class PermissionDeniedException extends DrydockException {
  PermissionDeniedException(String message, ErrorDetails details) {
    super(message, details);
  }
}
