package dev.drydock;

import com.google.protobuf.ByteString;
import dev.drydock.internal.v1.Interactor;
import dev.drydock.internal.v1.SourceFile;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;

/**
 * A program that decides whether an output is right, or an interactor, which talks with the program. It has a source or files, to
 * 1 MiB in all. Any end that its {@link Protocol} does not know is {@link Verdict#INTERNAL_ERROR}.
 */
public final class Checker {
  final dev.drydock.internal.v1.Checker.Builder message = dev.drydock.internal.v1.Checker.newBuilder();

  Checker(String language) {
    message.setLanguage(language);
  }

  static dev.drydock.internal.v1.Checker.Builder built(String language, Consumer<Checker> checker) {
    var given = new Checker(language);
    checker.accept(given);
    return given.message;
  }

  /** An interactor, which has the fields of a checker under the same numbers. */
  static Interactor.Builder interactor(String language, Consumer<Checker> interactor) {
    return Executions.copy(built(language, interactor), Interactor.newBuilder());
  }

  /** The arguments of a checker or of an interactor, all of them files or directories, and what its end means. */
  public enum Protocol {
    /**
     * The default. Arguments {@code input output expected}, of an interactor {@code input expected}. Exit code 0 accepts, 1 is a
     * wrong answer.
     */
    DRYDOCK,
    /**
     * Arguments {@code input output answer}. Exit code 0 accepts, 1, 2, 4 and 8 are a wrong answer, 7 gives points, which are
     * printed to standard error.
     */
    TESTLIB,
    /**
     * Arguments {@code input answer feedback/}, the output of the program on standard input. Exit code 42 accepts, 43 is a wrong
     * answer, message and points in files of {@code feedback/}.
     */
    KATTIS,
    /** A value that a newer server has added. */
    UNRECOGNIZED
  }

  /**
   * Sets a program of one file.
   *
   * @param source its text
   * @return this checker
   */
  public Checker source(String source) {
    message.setSource(source);
    return this;
  }

  /**
   * Adds a file.
   *
   * @param name relative, without {@code ..}, to 255 bytes; at most 1,000 files
   * @param text its content
   * @return this checker
   */
  public Checker file(String name, String text) {
    message.addFiles(SourceFile.newBuilder().setName(name).setText(text));
    return this;
  }

  /**
   * Adds a file.
   *
   * @param name relative, without {@code ..}, to 255 bytes; at most 1,000 files
   * @param content its content
   * @return this checker
   */
  public Checker file(String name, byte[] content) {
    message.addFiles(SourceFile.newBuilder().setName(name).setData(ByteString.copyFrom(content)));
    return this;
  }

  /**
   * Adds a file whose content is a blob, to 256 MiB.
   *
   * @param name relative, without {@code ..}, to 255 bytes; at most 1,000 files
   * @param sha256 of the blob, as {@link Blobs} answers it
   * @return this checker
   */
  public Checker blobFile(String name, String sha256) {
    message.addFiles(SourceFile.newBuilder().setName(name).setBlob(sha256));
    return this;
  }

  /**
   * Sets which of the files to run.
   *
   * @param entrypoint as of the program
   * @return this checker
   */
  public Checker entrypoint(String entrypoint) {
    message.setEntrypoint(entrypoint);
    return this;
  }

  /**
   * Limits one run by the clock, that of an interactor by its CPU time.
   *
   * @param wallTime above 0, to 300 s; default 10 s
   * @return this checker
   */
  public Checker wallTime(Duration wallTime) {
    message.setWallTime(Times.toMessage(Times.positive("wallTime", wallTime)));
    return this;
  }

  /**
   * Sets by which convention it is called and answers.
   *
   * @param protocol default {@link Protocol#DRYDOCK}
   * @return this checker
   */
  public Checker protocol(Protocol protocol) {
    if (protocol == Protocol.UNRECOGNIZED) throw InvalidArgumentException.of("protocol", "cannot be UNRECOGNIZED");
    message.setProtocol(dev.drydock.internal.v1.Checker.Protocol.valueOf(protocol.name()));
    return this;
  }

  /**
   * Adds arguments after those of the protocol.
   *
   * @param arguments at most 64, 128 KiB in all; default: none
   * @return this checker
   */
  public Checker arguments(String... arguments) {
    message.addAllArguments(List.of(arguments));
    return this;
  }
}
