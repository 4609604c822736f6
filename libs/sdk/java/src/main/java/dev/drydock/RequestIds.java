package dev.drydock;

import java.util.UUID;

/** Ids that make a call safe to repeat. */
final class RequestIds {
  private RequestIds() {}

  static String create() {
    return UUID.randomUUID().toString();
  }
}
