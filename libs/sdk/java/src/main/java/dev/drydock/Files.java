package dev.drydock;

import com.google.protobuf.ByteString;
import dev.drydock.Connection.Kind;
import dev.drydock.Connection.Source;
import dev.drydock.internal.v1.FileServiceGrpc;
import dev.drydock.internal.v1.ListFilesRequest;
import dev.drydock.internal.v1.MakeDirectoryRequest;
import dev.drydock.internal.v1.MoveFileRequest;
import dev.drydock.internal.v1.ReadFileRequest;
import dev.drydock.internal.v1.RemoveFileRequest;
import dev.drydock.internal.v1.StatFileRequest;
import dev.drydock.internal.v1.WriteFileRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

/**
 * Files of one sandbox. A path is absolute, or relative to the home. Methods throw {@link NotFoundException},
 * {@link PermissionDeniedException}, {@link ConflictException} (a directory where a file is needed, or the reverse) and
 * {@link SandboxNotRunningException} as fits, and {@link UncheckedIOException} where a local file or stream fails.
 */
public final class Files {
  private static final int WRITES_AT_ONCE = 8;

  private final Connection connection;
  private final String sandboxId;

  Files(Connection connection, String sandboxId) {
    this.connection = connection;
    this.sandboxId = sandboxId;
  }

  /**
   * Reads a file as text.
   *
   * @param path of the file
   * @return its content; bytes that are not UTF-8 are replaced
   */
  public String read(String path) {
    return new String(readBytes(path), StandardCharsets.UTF_8);
  }

  /**
   * Reads a file into memory.
   *
   * @param path of the file
   * @return its content
   */
  public byte[] readBytes(String path) {
    return readBytes(path, options -> {});
  }

  /**
   * Reads a part of a file into memory.
   *
   * @param path of the file
   * @param options says which part
   * @return the content of that part
   */
  public byte[] readBytes(String path, Consumer<ReadOptions> options) {
    try (var stream = readStream(path, options)) {
      return stream.readAllBytes();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /**
   * Reads a file as fast as the stream is read, however large it is.
   *
   * @param path of the file
   * @return its content; closing the stream ends the call
   */
  public InputStream readStream(String path) {
    return readStream(path, options -> {});
  }

  /**
   * Reads a part of a file as fast as the stream is read, however large it is.
   *
   * @param path of the file
   * @param options says which part
   * @return the content of that part; closing the stream ends the call
   */
  public InputStream readStream(String path, Consumer<ReadOptions> options) {
    var given = new ReadOptions();
    options.accept(given);
    var request = given.request.setSandboxId(sandboxId).setPath(path).build();
    var messages = connection.stream(FileServiceGrpc.getReadFileMethod(), request, Kind.LASTING);
    return new PieceInputStream<>(messages, answer -> answer.getData());
  }

  /**
   * Reads a file into a local one, which is replaced when the last byte has arrived, and not before.
   *
   * @param path of the file
   * @param target the local file
   */
  public void readTo(String path, Path target) {
    try (var stream = readStream(path)) {
      LocalFiles.replace(target, stream);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /**
   * Writes a text, and makes the parents of the file. One that exists is replaced when the last byte has arrived, and not before.
   *
   * @param path of the file
   * @param text its content
   * @return what was written
   */
  public FileInfo write(String path, String text) {
    return write(path, text.getBytes(StandardCharsets.UTF_8), options -> {});
  }

  /**
   * Writes a text, and makes the parents of the file. One that exists is replaced when the last byte has arrived, and not before.
   *
   * @param path of the file
   * @param text its content
   * @param options sets permissions
   * @return what was written
   */
  public FileInfo write(String path, String text, Consumer<WriteOptions> options) {
    return write(path, text.getBytes(StandardCharsets.UTF_8), options);
  }

  /**
   * Writes bytes, and makes the parents of the file. One that exists is replaced when the last byte has arrived, and not before.
   *
   * @param path of the file
   * @param content its content
   * @return what was written
   */
  public FileInfo write(String path, byte[] content) {
    return write(path, content, options -> {});
  }

  /**
   * Writes bytes, and makes the parents of the file. One that exists is replaced when the last byte has arrived, and not before.
   *
   * @param path of the file
   * @param content its content
   * @param options sets permissions
   * @return what was written
   */
  public FileInfo write(String path, byte[] content, Consumer<WriteOptions> options) {
    return upload(headOf(path, options), call -> Pieces.send(call, content, Files::pieceOf), Kind.LASTING);
  }

  /**
   * Writes a local file, and makes the parents. One that exists is replaced when the last byte has arrived, and not before.
   *
   * @param path of the file
   * @param source the local file
   * @return what was written
   */
  public FileInfo write(String path, Path source) {
    return write(path, source, options -> {});
  }

  /**
   * Writes a local file, and makes the parents. One that exists is replaced when the last byte has arrived, and not before.
   *
   * @param path of the file
   * @param source the local file
   * @param options sets permissions
   * @return what was written
   */
  public FileInfo write(String path, Path source, Consumer<WriteOptions> options) {
    Source<WriteFileRequest> content =
        call -> {
          try (var stream = java.nio.file.Files.newInputStream(source)) {
            Pieces.send(call, stream, Files::pieceOf);
          }
        };
    return upload(headOf(path, options), content, Kind.LASTING);
  }

  /**
   * Writes what a stream has, however much, and makes the parents of the file. One that exists is replaced when the last byte has
   * arrived, and not before. The stream is read once, so the write is never repeated; it is not closed.
   *
   * @param path of the file
   * @param content its content
   * @return what was written
   */
  public FileInfo write(String path, InputStream content) {
    return write(path, content, options -> {});
  }

  /**
   * Writes what a stream has, however much, and makes the parents of the file. One that exists is replaced when the last byte has
   * arrived, and not before. The stream is read once, so the write is never repeated; it is not closed.
   *
   * @param path of the file
   * @param content its content
   * @param options sets permissions
   * @return what was written
   */
  public FileInfo write(String path, InputStream content, Consumer<WriteOptions> options) {
    return upload(headOf(path, options), call -> Pieces.send(call, content, Files::pieceOf), Kind.LASTING_ONCE);
  }

  /**
   * Opens a file to be written, and makes its parents. One that exists is replaced when the stream is closed, and not before.
   *
   * @param path of the file
   * @return its content to be; it throws what {@link #write(String, InputStream)} throws
   */
  public OutputStream writeStream(String path) {
    return writeStream(path, options -> {});
  }

  /**
   * Opens a file to be written, and makes its parents. One that exists is replaced when the stream is closed, and not before.
   *
   * @param path of the file
   * @param options sets permissions
   * @return its content to be; it throws what {@link #write(String, InputStream)} throws
   */
  public OutputStream writeStream(String path, Consumer<WriteOptions> options) {
    var call = connection.open(FileServiceGrpc.getWriteFileMethod());
    call.send(headOf(path, options));
    return new UploadStream(connection, call);
  }

  /**
   * Writes several files, eight at a time.
   *
   * @param files adds the files
   * @return what was written, in the order of the files
   */
  public List<FileInfo> writeFiles(Consumer<FileSet> files) {
    var given = new FileSet();
    files.accept(given);
    var places = new Semaphore(WRITES_AT_ONCE);
    var writes = new ArrayList<CompletableFuture<FileInfo>>();
    try {
      for (var file : given.files) {
        places.acquire();
        var write = Futures.run(connection.link().executor(), () -> write(file.path(), file.content(), file.options()));
        write.whenComplete((written, error) -> places.release());
        writes.add(write);
      }
      places.acquire(WRITES_AT_ONCE);
      return writes.stream().map(CompletableFuture::join).toList();
    } catch (InterruptedException interrupted) {
      writes.forEach(write -> write.cancel(true));
      throw CallInterruptedException.restoring(interrupted);
    } catch (CompletionException error) {
      throw error.getCause() instanceof RuntimeException cause ? cause : error;
    }
  }

  /**
   * Lists the home.
   *
   * @return its entries, by name
   */
  public Paged<FileInfo> list() {
    return list("");
  }

  /**
   * Lists a directory.
   *
   * @param path of the directory
   * @return its entries, by name
   */
  public Paged<FileInfo> list(String path) {
    return new Paged<>(
        pageToken -> {
          var request =
              ListFilesRequest.newBuilder().setSandboxId(sandboxId).setPath(path).setPageToken(pageToken).build();
          var answer = connection.unary(FileServiceGrpc.getListFilesMethod(), request, Kind.SAFE);
          return new Paged.Page<>(
              answer.getFilesList().stream().map(FileInfo::of).toList(), answer.getNextPageToken());
        });
  }

  /**
   * Tells what is at a path. A symbolic link is described, not followed.
   *
   * @param path of anything
   * @return what is there
   */
  public FileInfo getInfo(String path) {
    var request = StatFileRequest.newBuilder().setSandboxId(sandboxId).setPath(path).build();
    return FileInfo.of(connection.unary(FileServiceGrpc.getStatFileMethod(), request, Kind.SAFE).getFile());
  }

  /**
   * Tells whether there is anything at a path.
   *
   * @param path of anything
   * @return whether it exists
   */
  public boolean exists(String path) {
    try {
      getInfo(path);
      return true;
    } catch (NotFoundException error) {
      if (error.reason().equals("FILE_NOT_FOUND")) return false;
      throw error;
    }
  }

  /**
   * Makes a directory and its parents. One that exists is a success.
   *
   * @param path of the directory
   * @return the directory
   */
  public FileInfo makeDir(String path) {
    var request = MakeDirectoryRequest.newBuilder().setSandboxId(sandboxId).setPath(path).build();
    return FileInfo.of(connection.unary(FileServiceGrpc.getMakeDirectoryMethod(), request, Kind.SAFE).getFile());
  }

  /**
   * Moves a file or directory. A file at the destination is replaced, and its parents are made.
   *
   * @param path of what is moved
   * @param destination its path afterwards
   * @return what was moved
   */
  public FileInfo rename(String path, String destination) {
    var request =
        MoveFileRequest.newBuilder().setSandboxId(sandboxId).setPath(path).setDestination(destination).build();
    return FileInfo.of(connection.unary(FileServiceGrpc.getMoveFileMethod(), request, Kind.UNSAFE).getFile());
  }

  /**
   * Removes a file, a link, or an empty directory.
   *
   * @param path of what is removed
   */
  public void remove(String path) {
    remove(path, false);
  }

  /**
   * Removes a directory with all that is in it, a file or a link.
   *
   * @param path of what is removed
   */
  public void removeAll(String path) {
    remove(path, true);
  }

  private void remove(String path, boolean recursive) {
    var request =
        RemoveFileRequest.newBuilder().setSandboxId(sandboxId).setPath(path).setRecursive(recursive).build();
    connection.unary(FileServiceGrpc.getRemoveFileMethod(), request, Kind.UNSAFE);
  }

  private WriteFileRequest headOf(String path, Consumer<WriteOptions> options) {
    var given = new WriteOptions();
    options.accept(given);
    return given.request.setSandboxId(sandboxId).setPath(path).build();
  }

  private FileInfo upload(WriteFileRequest head, Source<WriteFileRequest> content, Kind kind) {
    Source<WriteFileRequest> all =
        call -> {
          call.send(head);
          content.sendTo(call);
        };
    return FileInfo.of(connection.upload(FileServiceGrpc.getWriteFileMethod(), all, kind).getFile());
  }

  static WriteFileRequest pieceOf(ByteString data) {
    return WriteFileRequest.newBuilder().setData(data).build();
  }
}
