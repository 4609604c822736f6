package dev.drydock;

import dev.drydock.internal.v1.WriteFileRequest;

/** How a file is written. */
public final class WriteOptions {
  final WriteFileRequest.Builder request = WriteFileRequest.newBuilder();

  WriteOptions() {}

  /**
   * Sets the permissions of a new file.
   *
   * @param mode permission bits; default 0644
   * @return these options
   */
  public WriteOptions mode(int mode) {
    request.setMode(mode);
    return this;
  }
}
