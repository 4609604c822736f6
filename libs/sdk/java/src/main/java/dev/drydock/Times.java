package dev.drydock;

import com.google.protobuf.Timestamp;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Durations and times of messages. */
final class Times {
  private Times() {}

  /** Refuses a duration that is not above 0. */
  static Duration positive(String field, Duration duration) {
    if (duration.isZero() || duration.isNegative()) throw InvalidArgumentException.of(field, "must be more than 0");
    return duration;
  }

  static Duration toDuration(com.google.protobuf.Duration duration) {
    return Duration.ofSeconds(duration.getSeconds(), duration.getNanos());
  }

  static com.google.protobuf.Duration toMessage(Duration duration) {
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(duration.getSeconds())
        .setNanos(duration.getNano())
        .build();
  }

  static Timestamp toMessage(Instant time) {
    return Timestamp.newBuilder().setSeconds(time.getEpochSecond()).setNanos(time.getNano()).build();
  }

  /** Null for a time that is not set. */
  static @Nullable Instant toInstant(boolean isSet, Timestamp time) {
    return isSet ? Instant.ofEpochSecond(time.getSeconds(), time.getNanos()) : null;
  }
}
