package dev.drydock;

import java.nio.charset.StandardCharsets;

/** What happens to a program that is run now. The last event is {@link Finished}. */
public sealed interface RunEvent {
  /** The compiler starts. */
  record CompileStarted() implements RunEvent {}

  /**
   * The program starts.
   *
   * @param caseIndex which of the test cases, from 0
   */
  record RunStarted(int caseIndex) implements RunEvent {}

  /** A piece of output. Pieces end at the end of a character. */
  sealed interface Output extends RunEvent {
    /** {@return the piece} */
    byte[] data();

    /** {@return the piece as text; bytes that are not UTF-8 are replaced} */
    default String text() {
      return new String(data(), StandardCharsets.UTF_8);
    }
  }

  /**
   * A piece of standard output.
   *
   * @param data the piece
   */
  record Stdout(byte[] data) implements Output {}

  /**
   * A piece of standard error.
   *
   * @param data the piece
   */
  record Stderr(byte[] data) implements Output {}

  /**
   * The end of the execution.
   *
   * @param execution what came of it; its outputs are complete
   */
  record Finished(Execution execution) implements RunEvent {}
}
