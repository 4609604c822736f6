package dev.drydock;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The failure of a call. A program that fails is a result, not an exception, unless {@link CommandOptions#check} is set. */
@SuppressWarnings("serial")
public class DrydockException extends RuntimeException {
  private final transient ErrorDetails details;

  DrydockException(String message, ErrorDetails details) {
    super(message, details.cause());
    this.details = details;
  }

  /** {@return a stable name of the API, such as {@code SANDBOX_NOT_FOUND}; a newer server may know more of them} */
  public String reason() {
    return details.reason();
  }

  /** {@return the name of the request in the logs of the platform; null where no answer came} */
  public @Nullable String requestId() {
    return details.requestId();
  }

  /** {@return after how long trying again may help; null where the platform did not say} */
  public @Nullable Duration retryAfter() {
    return details.retryAfter();
  }

  /** {@return what is wrong with which field of the request} */
  public List<FieldViolation> fieldViolations() {
    return details.fieldViolations();
  }

  /** {@return more about the reason, such as {@code state} of {@code SANDBOX_NOT_RUNNING}} */
  public Map<String, String> metadata() {
    return details.metadata();
  }
}
