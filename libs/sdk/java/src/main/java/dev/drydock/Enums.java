package dev.drydock;

import com.google.protobuf.ProtocolMessageEnum;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Enums of messages, whose values have the same names here. */
final class Enums {
  private Enums() {}

  /** A value that this package does not know, or that is not set, is {@code other}. */
  static <E extends Enum<E>> E toKnown(Class<E> type, ProtocolMessageEnum value, E other) {
    var name = value.toString();
    return Stream.of(type.getEnumConstants()).filter(each -> each.name().equals(name)).findFirst().orElse(other);
  }

  /** Null for a value that is not set. */
  static <E extends Enum<E>> @Nullable E toSet(Class<E> type, ProtocolMessageEnum value, E unrecognized) {
    return value.toString().endsWith("_UNSPECIFIED") ? null : toKnown(type, value, unrecognized);
  }
}
