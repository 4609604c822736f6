package dev.drydock;

/** The request cannot be right, now or later. */
@SuppressWarnings("serial")
public final class InvalidArgumentException extends DrydockException {
  InvalidArgumentException(String message, ErrorDetails details) {
    super(message, details);
  }

  InvalidArgumentException(String message) {
    super(message, ErrorDetails.of("INVALID_FIELD"));
  }

  /** Of one field, in words that follow its name. */
  static InvalidArgumentException of(String field, String description) {
    var violations = java.util.List.of(new FieldViolation(field, description));
    return new InvalidArgumentException(
        field + " " + description, ErrorDetails.of("INVALID_FIELD").withFieldViolations(violations));
  }
}
