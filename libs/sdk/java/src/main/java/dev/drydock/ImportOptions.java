package dev.drydock;

import dev.drydock.internal.v1.ImportTestSetRequest;

/** What a test set is called that is imported. */
public final class ImportOptions {
  final ImportTestSetRequest.Builder request = ImportTestSetRequest.newBuilder();

  ImportOptions() {}

  /**
   * Names the test set.
   *
   * @param name to 128 characters; default: the name of the package
   * @return these options
   */
  public ImportOptions name(String name) {
    request.setName(name);
    return this;
  }

  /**
   * Tells it from others of its name.
   *
   * @param version to 128 characters; default: none
   * @return these options
   */
  public ImportOptions version(String version) {
    request.setVersion(version);
    return this;
  }
}
