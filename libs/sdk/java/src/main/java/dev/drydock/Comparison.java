package dev.drydock;

/** How an output is compared with the expected one. */
public enum Comparison {
  /** The default: equal but for blanks at the ends of lines and blank lines at the end. */
  TRAILING_SPACE,
  /** Byte for byte. */
  EXACT,
  /** The same words in the same order, whatever space is between them. */
  TOKENS,
  /** As {@link #TOKENS}, and words that are numbers on both sides may differ by the absolute tolerance, or the relative one. */
  FLOAT,
  /** A value that a newer server has added. */
  UNRECOGNIZED;

  dev.drydock.internal.v1.Comparison toMessage() {
    if (this == UNRECOGNIZED) throw InvalidArgumentException.of("comparison", "cannot be UNRECOGNIZED");
    return dev.drydock.internal.v1.Comparison.valueOf(name());
  }
}
