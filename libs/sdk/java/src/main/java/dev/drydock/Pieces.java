package dev.drydock;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.Function;

/** Cuts bytes into the messages of an upload. */
final class Pieces {
  private static final int PIECE_BYTES = 256 * 1024;

  private Pieces() {}

  static <Q> void send(Call<Q, ?> call, byte[] content, Function<ByteString, Q> toRequest) throws InterruptedException {
    // Not copied: nothing changes them until the call has ended.
    var bytes = UnsafeByteOperations.unsafeWrap(content);
    for (var at = 0; at < bytes.size() && call.awaitReady(); at += PIECE_BYTES)
      call.send(toRequest.apply(bytes.substring(at, Math.min(bytes.size(), at + PIECE_BYTES))));
  }

  static <Q> void send(Call<Q, ?> call, InputStream content, Function<ByteString, Q> toRequest)
      throws IOException, InterruptedException {
    while (call.awaitReady()) {
      var piece = content.readNBytes(PIECE_BYTES);
      if (piece.length == 0) return;
      call.send(toRequest.apply(UnsafeByteOperations.unsafeWrap(piece)));
    }
  }
}
