package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.BlobServiceGrpc;
import dev.drydock.internal.v1.PutBlobRequest;
import dev.drydock.internal.v1.ReadBlobRequest;
import dev.drydock.internal.v1.StatBlobsRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;

/**
 * Bytes that are sent once and named by their SHA-256, as 64 lower-case hexadecimal digits, from then on. A blob that nothing has
 * used for 30 days is deleted.
 */
public final class Blobs {
  private final Connection connection;

  Blobs(Connection connection) {
    this.connection = connection;
  }

  /**
   * Keeps a text, as UTF-8.
   *
   * @param text to 256 MiB
   * @return the blob; one that is there already is a success
   * @throws QuotaExceededException if the organisation keeps as much as it may
   * @throws InvalidArgumentException if it is too large
   */
  public BlobInfo put(String text) {
    return put(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Keeps bytes.
   *
   * @param content to 256 MiB
   * @return the blob; one that is there already is a success
   * @throws QuotaExceededException if the organisation keeps as much as it may
   * @throws InvalidArgumentException if they are too many
   */
  public BlobInfo put(byte[] content) {
    var head = PutBlobRequest.newBuilder().setSha256(sha256Of(content)).build();
    Connection.Source<PutBlobRequest> source =
        call -> {
          call.send(head);
          Pieces.send(call, content, data -> PutBlobRequest.newBuilder().setData(data).build());
        };
    return BlobInfo.of(connection.upload(BlobServiceGrpc.getPutBlobMethod(), source, Kind.LASTING).getBlob());
  }

  /**
   * Reads a blob into memory.
   *
   * @param sha256 of its bytes
   * @return its bytes
   * @throws NotFoundException if there is no such blob ({@code BLOB_NOT_FOUND})
   */
  public byte[] read(String sha256) {
    try (var stream = readStream(sha256)) {
      return stream.readAllBytes();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /**
   * Reads a blob as fast as the stream is read.
   *
   * @param sha256 of its bytes
   * @return its bytes; closing the stream ends the call
   * @throws NotFoundException if there is no such blob ({@code BLOB_NOT_FOUND})
   */
  public InputStream readStream(String sha256) {
    var request = ReadBlobRequest.newBuilder().setSha256(sha256).build();
    var messages = connection.stream(BlobServiceGrpc.getReadBlobMethod(), request, Kind.LASTING);
    return new PieceInputStream<>(messages, answer -> answer.getData());
  }

  /**
   * Tells which of some blobs are there.
   *
   * @param sha256s of their bytes; 1 to 1,000
   * @return those that are there, and the others
   * @throws InvalidArgumentException if one is no hash
   */
  public BlobStat stat(Collection<String> sha256s) {
    var request = StatBlobsRequest.newBuilder().addAllSha256S(sha256s).build();
    var answer = connection.unary(BlobServiceGrpc.getStatBlobsMethod(), request, Kind.SAFE);
    return new BlobStat(
        answer.getBlobsList().stream().map(BlobInfo::of).toList(), List.copyOf(answer.getMissingSha256SList()));
  }

  private static String sha256Of(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }
}
