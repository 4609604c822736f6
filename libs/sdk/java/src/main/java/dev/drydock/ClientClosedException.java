package dev.drydock;

/** The client was closed before the call, or under it. In the second case, whether the platform did what was asked is not known. */
@SuppressWarnings("serial")
public final class ClientClosedException extends DrydockException {
  ClientClosedException() {
    super("the client is closed: make calls before close(), or by a new client", ErrorDetails.of("CLIENT_CLOSED"));
  }
}
