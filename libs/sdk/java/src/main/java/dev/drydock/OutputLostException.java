package dev.drydock;

/** A command was joined too late: bytes that it wrote meanwhile are no longer kept. */
@SuppressWarnings("serial")
public final class OutputLostException extends DrydockException {
  private final transient OutputStreamName stream;
  private final transient long lostBytes;

  OutputLostException(OutputStreamName stream, long lostBytes) {
    super(
        lostBytes + " bytes of " + stream.text() + " are lost: they were written while nobody read",
        ErrorDetails.of("OUTPUT_LOST"));
    this.stream = stream;
    this.lostBytes = lostBytes;
  }

  /** {@return the stream that has the gap} */
  public OutputStreamName stream() {
    return stream;
  }

  /** {@return the size of the gap in bytes} */
  public long lostBytes() {
    return lostBytes;
  }
}
