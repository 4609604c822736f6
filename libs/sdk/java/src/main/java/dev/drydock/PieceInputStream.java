package dev.drydock;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.function.Function;

/** The bytes of a stream's answers. */
final class PieceInputStream<A> extends InputStream {
  private final Messages<A> messages;
  private final Function<A, ByteString> bytesOf;
  private ByteBuffer piece = ByteBuffer.allocate(0);
  private boolean closed;

  PieceInputStream(Messages<A> messages, Function<A, ByteString> bytesOf) {
    this.messages = messages;
    this.bytesOf = bytesOf;
  }

  @Override
  public int read() throws IOException {
    return fill() ? piece.get() & 0xff : -1;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    if (length == 0) return 0;
    if (!fill()) return -1;
    var count = Math.min(length, piece.remaining());
    piece.get(target, offset, count);
    return count;
  }

  @Override
  public int available() {
    return piece.remaining();
  }

  @Override
  public void close() {
    closed = true;
    messages.close();
  }

  /** Tells whether there is a byte to read. */
  private boolean fill() throws IOException {
    if (closed) throw new IOException("the stream is closed");
    while (!piece.hasRemaining()) {
      A answer;
      try {
        answer = messages.next();
      } catch (InterruptedException interrupted) {
        throw CallInterruptedException.restoring(interrupted);
      }
      if (answer == null) return false;
      piece = bytesOf.apply(answer).asReadOnlyByteBuffer();
    }
    return true;
  }
}
