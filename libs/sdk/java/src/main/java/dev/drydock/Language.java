package dev.drydock;

/**
 * A programming language.
 *
 * @param name such as {@code python}
 * @param displayName such as {@code Python 3.11}
 * @param template the template that runs it
 * @param sourceFile the file that a source is written to, such as {@code main.py}
 * @param compiled whether a compile step comes before the run
 */
public record Language(
    String name,
    String displayName,
    String template,
    String sourceFile,
    boolean compiled) {
  static Language of(dev.drydock.internal.v1.Language message) {
    return new Language(
        message.getName(),
        message.getDisplayName(),
        message.getTemplate(),
        message.getSourceFile(),
        message.getCompiled());
  }
}
