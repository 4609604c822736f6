package dev.drydock;

/** The connection broke under a call, or there was none. Whether the platform did what was asked is not known. */
@SuppressWarnings("serial")
public final class ConnectionLostException extends UnavailableException {
  ConnectionLostException(String message, ErrorDetails details) {
    super(message, details);
  }
}
