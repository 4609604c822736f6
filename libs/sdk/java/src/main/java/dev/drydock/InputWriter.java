package dev.drydock;

import com.google.protobuf.ByteString;
import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.ProcessServiceGrpc;
import dev.drydock.internal.v1.WriteProcessInputRequest;
import java.io.OutputStream;

/** Standard input of a process. */
final class InputWriter extends OutputStream {
  /** Bytes that one call takes. */
  private static final int MAX_INPUT_BYTES = 512 * 1024;

  private final Connection connection;
  private final String sandboxId;
  private final String processId;
  private boolean closed;

  InputWriter(Connection connection, String sandboxId, String processId) {
    this.connection = connection;
    this.sandboxId = sandboxId;
    this.processId = processId;
  }

  @Override
  public void write(int value) {
    write(new byte[] {(byte) value}, 0, 1);
  }

  @Override
  public void write(byte[] source, int offset, int length) {
    for (var at = 0; at < length; at += MAX_INPUT_BYTES) {
      var data = ByteString.copyFrom(source, offset + at, Math.min(MAX_INPUT_BYTES, length - at));
      send(WriteProcessInputRequest.newBuilder().setData(data));
    }
  }

  @Override
  public void close() {
    if (closed) return;
    closed = true;
    send(WriteProcessInputRequest.newBuilder().setData(ByteString.EMPTY).setClose(true));
  }

  /** Not repeated: what arrived before the connection broke would arrive twice. */
  private void send(WriteProcessInputRequest.Builder input) {
    var request = input.setSandboxId(sandboxId).setProcessId(processId).build();
    connection.unary(ProcessServiceGrpc.getWriteProcessInputMethod(), request, Kind.LASTING_UNSAFE);
  }
}
