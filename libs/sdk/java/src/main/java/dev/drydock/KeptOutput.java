package dev.drydock;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** The beginning of an output. */
final class KeptOutput {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final int limit;
  private boolean truncated;

  KeptOutput(int limit) {
    this.limit = limit;
  }

  void add(byte[] data) {
    var count = Math.min(data.length, limit - bytes.size());
    if (count < data.length) truncated = true;
    bytes.write(data, 0, count);
  }

  boolean truncated() {
    return truncated;
  }

  String text() {
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
