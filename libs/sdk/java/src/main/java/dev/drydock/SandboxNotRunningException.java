package dev.drydock;

/** The sandbox has stopped; {@code state} and {@code stop_reason} of the metadata say more. */
@SuppressWarnings("serial")
public final class SandboxNotRunningException extends DrydockException {
  SandboxNotRunningException(String message, ErrorDetails details) {
    super(message, details);
  }
}
