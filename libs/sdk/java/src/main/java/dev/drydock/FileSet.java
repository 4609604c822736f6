package dev.drydock;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Files that are written together. */
public final class FileSet {
  record Entry(String path, byte[] content, Consumer<WriteOptions> options) {}

  final List<Entry> files = new ArrayList<>();

  FileSet() {}

  /**
   * Adds a text.
   *
   * @param path of the file
   * @param text its content
   * @return this set
   */
  public FileSet add(String path, String text) {
    return add(path, text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Adds bytes.
   *
   * @param path of the file
   * @param content its content
   * @return this set
   */
  public FileSet add(String path, byte[] content) {
    return add(path, content, options -> {});
  }

  /**
   * Adds bytes.
   *
   * @param path of the file
   * @param content its content
   * @param options sets permissions
   * @return this set
   */
  public FileSet add(String path, byte[] content, Consumer<WriteOptions> options) {
    files.add(new Entry(path, content, options));
    return this;
  }
}
