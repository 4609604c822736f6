package dev.drydock;

import java.nio.charset.StandardCharsets;

/** What happens to a command. The last event is {@link Exit}. */
public sealed interface CommandEvent {
  /** A piece of output. Pieces end at the end of a character. */
  sealed interface Output extends CommandEvent {
    /** {@return bytes of this stream that came before} */
    long offset();

    /** {@return the piece} */
    byte[] data();

    /** {@return the piece as text; bytes that are not UTF-8 are replaced} */
    default String text() {
      return new String(data(), StandardCharsets.UTF_8);
    }
  }

  /**
   * A piece of standard output; of a terminal, of all that it shows.
   *
   * @param offset bytes of standard output that came before
   * @param data the piece
   */
  record Stdout(long offset, byte[] data) implements Output {}

  /**
   * A piece of standard error.
   *
   * @param offset bytes of standard error that came before
   * @param data the piece
   */
  record Stderr(long offset, byte[] data) implements Output {}

  /**
   * The end of the command.
   *
   * @param result what came of it
   */
  record Exit(CommandResult result) implements CommandEvent {}
}
