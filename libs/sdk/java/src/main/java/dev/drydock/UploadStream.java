package dev.drydock;

import com.google.protobuf.ByteString;
import dev.drydock.internal.v1.WriteFileRequest;
import dev.drydock.internal.v1.WriteFileResponse;
import java.io.OutputStream;

/** The content of a file to be, in pieces that are collected so that a small write is no call of its own. */
final class UploadStream extends OutputStream {
  private static final int PIECE_BYTES = 64 * 1024;

  private final Connection connection;
  private final Call<WriteFileRequest, WriteFileResponse> call;
  private final byte[] piece = new byte[PIECE_BYTES];
  private int size;
  private boolean closed;

  UploadStream(Connection connection, Call<WriteFileRequest, WriteFileResponse> call) {
    this.connection = connection;
    this.call = call;
  }

  @Override
  public void write(int value) {
    write(new byte[] {(byte) value}, 0, 1);
  }

  @Override
  public void write(byte[] source, int offset, int length) {
    for (var at = 0; at < length; ) {
      var count = Math.min(length - at, PIECE_BYTES - size);
      System.arraycopy(source, offset + at, piece, size, count);
      size += count;
      at += count;
      if (size == PIECE_BYTES) flush();
    }
  }

  @Override
  public void flush() {
    if (size == 0) return;
    try {
      // A call that has ended says why.
      if (!call.awaitReady()) Connection.answerOf(call);
    } catch (InterruptedException interrupted) {
      call.close();
      throw CallInterruptedException.restoring(interrupted);
    } catch (DrydockException error) {
      throw connection.explain(error);
    }
    call.send(Files.pieceOf(ByteString.copyFrom(piece, 0, size)));
    size = 0;
  }

  @Override
  public void close() {
    if (closed) return;
    closed = true;
    try (call) {
      flush();
      call.sendEnd();
      Connection.answerOf(call);
    } catch (InterruptedException interrupted) {
      throw CallInterruptedException.restoring(interrupted);
    } catch (DrydockException error) {
      throw connection.explain(error);
    }
  }
}
