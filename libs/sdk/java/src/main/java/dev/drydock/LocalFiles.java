package dev.drydock;

import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Files of this machine. */
final class LocalFiles {
  private LocalFiles() {}

  /** Replaces a file once all of its content is there. */
  static void replace(Path target, InputStream content) throws IOException {
    var unfinished = target.resolveSibling("." + target.getFileName() + "." + RequestIds.create());
    try {
      Files.copy(content, unfinished);
      Files.move(unfinished, target, REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(unfinished);
    }
  }
}
