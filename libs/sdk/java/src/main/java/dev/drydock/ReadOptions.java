package dev.drydock;

import dev.drydock.internal.v1.ReadFileRequest;

/** Which part of a file is read. */
public final class ReadOptions {
  final ReadFileRequest.Builder request = ReadFileRequest.newBuilder();

  ReadOptions() {}

  /**
   * Sets where to begin.
   *
   * @param offsetBytes from the beginning of the file; default 0
   * @return these options
   */
  public ReadOptions offsetBytes(long offsetBytes) {
    request.setOffsetBytes(offsetBytes);
    return this;
  }

  /**
   * Limits how much is read.
   *
   * @param lengthBytes at most this many; default: to the end
   * @return these options
   */
  public ReadOptions lengthBytes(long lengthBytes) {
    request.setLengthBytes(lengthBytes);
    return this;
  }
}
