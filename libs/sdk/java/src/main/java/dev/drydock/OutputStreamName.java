package dev.drydock;

/** One of the outputs of a program. */
public enum OutputStreamName {
  /** Standard output. */
  STDOUT,
  /** Standard error. */
  STDERR,
  /** The talk with an interactor, of an execution alone; see {@link ProgramOptions#keepTranscript}. */
  TRANSCRIPT;

  String text() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
