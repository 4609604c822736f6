package dev.drydock;

import java.util.List;

/**
 * A test set that was made of a package.
 *
 * @param testSet what was made
 * @param notes what of the package has no meaning here and does not change a verdict, such as statements
 */
public record ImportedTestSet(TestSet testSet, List<Note> notes) {
  /**
   * A part of a package without a meaning.
   *
   * @param file within the package; a directory ends with {@code /} and stands for all in it
   * @param key of a file of YAML; empty for the whole file
   * @param description why, in words
   */
  public record Note(String file, String key, String description) {
    static Note of(dev.drydock.internal.v1.PackageNote message) {
      return new Note(message.getFile(), message.getKey(), message.getDescription());
    }
  }
}
