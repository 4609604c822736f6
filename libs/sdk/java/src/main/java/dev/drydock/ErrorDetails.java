package dev.drydock;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

record ErrorDetails(
    String reason,
    @Nullable String requestId,
    @Nullable Duration retryAfter,
    List<FieldViolation> fieldViolations,
    Map<String, String> metadata,
    @Nullable Throwable cause) {
  static final ErrorDetails NONE = of("INTERNAL");

  static ErrorDetails of(String reason) {
    return new ErrorDetails(reason, null, null, List.of(), Map.of(), null);
  }

  ErrorDetails withReason(String reason, Map<String, String> metadata) {
    return new ErrorDetails(reason, requestId, retryAfter, fieldViolations, Map.copyOf(metadata), cause);
  }

  ErrorDetails withRequestId(@Nullable String requestId) {
    return new ErrorDetails(reason, requestId, retryAfter, fieldViolations, metadata, cause);
  }

  ErrorDetails withRetryAfter(Duration retryAfter) {
    return new ErrorDetails(reason, requestId, retryAfter, fieldViolations, metadata, cause);
  }

  ErrorDetails withFieldViolations(List<FieldViolation> fieldViolations) {
    return new ErrorDetails(reason, requestId, retryAfter, List.copyOf(fieldViolations), metadata, cause);
  }

  ErrorDetails withCause(Throwable cause) {
    return new ErrorDetails(reason, requestId, retryAfter, fieldViolations, metadata, cause);
  }
}
