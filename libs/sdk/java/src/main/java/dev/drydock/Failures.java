package dev.drydock;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.drydock.internal.v1.ErrorReason;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/** The exceptions of calls, from their status and trailers. */
final class Failures {
  private static final Metadata.Key<String> REQUEST_ID =
      Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);

  private Failures() {}

  /** How an exception is made; each class of them has a constructor of this shape. */
  private interface Maker extends BiFunction<String, ErrorDetails, DrydockException> {}

  /** The exception of a call to the platform at {@code url}. */
  static DrydockException of(Status status, Metadata trailers, @Nullable String requestId, String url) {
    var id = requestId == null ? requestIdIn(trailers) : requestId;
    var details = readDetails(status, trailers);
    var message = Optional.ofNullable(status.getDescription()).orElse(status.getCode().name());
    if (details.isPresent())
      return makerOf(details.get().reason())
          .orElse(makerOf(status.getCode()))
          .apply(message, details.get().withRequestId(id));
    var own = ErrorDetails.NONE.withRequestId(id).withCause(status.asRuntimeException(trailers));
    if (status.getCode() == Status.Code.DEADLINE_EXCEEDED)
      return new DrydockTimeoutException(
          "no answer within the request timeout", own.withReason("DEADLINE_TOO_SHORT", Map.of()));
    if (isBroken(status))
      return new ConnectionLostException(
          url + " cannot be reached: " + withCauses(message, status.getCause()),
          own.withReason("SERVICE_UNAVAILABLE", Map.of()));
    return makerOf(status.getCode()).apply(url + " does not answer as Drydock does: " + message, own);
  }

  /** The exception of one member of a batch. */
  static DrydockException of(ErrorReason reason, String message, ErrorDetails details) {
    return makerOf(reason.name()).orElse(DrydockException::new).apply(message, details);
  }

  /**
   * Whether the connection broke, or there was none. Only a failure of this side has a cause; gRPC gives it the code UNKNOWN where
   * the connection breaks while a request is written.
   */
  private static boolean isBroken(Status status) {
    for (var cause = status.getCause(); cause != null; cause = cause.getCause())
      if (cause instanceof IOException) return true;
    return switch (status.getCode()) {
      case UNAVAILABLE, INTERNAL, CANCELLED -> true;
      default -> false;
    };
  }

  static @Nullable String requestIdIn(@Nullable Metadata metadata) {
    return metadata == null ? null : metadata.get(REQUEST_ID);
  }

  /** The innermost cause says why a handshake or a connection failed. */
  private static String withCauses(String message, @Nullable Throwable cause) {
    var text = new StringBuilder(message);
    for (var each = cause; each != null; each = each.getCause())
      if (each.getMessage() != null && text.indexOf(each.getMessage()) < 0) text.append(": ").append(each.getMessage());
    return text.toString();
  }

  /** Empty where the answer is not one of the platform. */
  private static Optional<ErrorDetails> readDetails(Status status, Metadata trailers) {
    var message = StatusProto.fromStatusAndTrailers(status, trailers);
    if (message == null) return Optional.empty();
    var details = ErrorDetails.of("");
    for (var detail : message.getDetailsList()) details = with(details, detail);
    return details.reason().isEmpty() ? Optional.empty() : Optional.of(details);
  }

  private static ErrorDetails with(ErrorDetails details, Any detail) {
    try {
      if (detail.is(ErrorInfo.class)) {
        var info = detail.unpack(ErrorInfo.class);
        return details.withReason(info.getReason(), info.getMetadataMap());
      }
      if (detail.is(RetryInfo.class))
        return details.withRetryAfter(Times.toDuration(detail.unpack(RetryInfo.class).getRetryDelay()));
      if (detail.is(BadRequest.class))
        return details.withFieldViolations(
            detail.unpack(BadRequest.class).getFieldViolationsList().stream()
                .map(each -> new FieldViolation(each.getField(), each.getDescription()))
                .toList());
      return details;
    } catch (InvalidProtocolBufferException error) {
      throw new UnavailableException("the details of an error cannot be read", ErrorDetails.NONE.withCause(error));
    }
  }

  /** Empty for a reason that a newer server has added. */
  private static Optional<Maker> makerOf(String reason) {
    ErrorReason known;
    try {
      known = ErrorReason.valueOf(reason);
    } catch (IllegalArgumentException unknown) {
      return Optional.empty();
    }
    return switch (known) {
      case INVALID_FIELD,
          MALFORMED_REQUEST,
          REQUEST_TOO_LARGE,
          LANGUAGE_NOT_FOUND,
          COMMAND_NOT_FOUND,
          BLOB_HASH_MISMATCH,
          PACKAGE_INVALID,
          PACKAGE_UNSUPPORTED ->
          Optional.of(InvalidArgumentException::new);
      case REQUEST_ID_REUSED,
          PROCESS_ENDED,
          PROCESS_INPUT_CLOSED,
          FILE_WRONG_TYPE,
          FILE_EXISTS,
          EXECUTION_NOT_FINISHED ->
          Optional.of(ConflictException::new);
      case DEADLINE_TOO_SHORT -> Optional.of(DrydockTimeoutException::new);
      case CREDENTIAL_INVALID -> Optional.of(UnauthenticatedException::new);
      case SCOPE_MISSING, CALLER_FORBIDDEN, FILE_PERMISSION_DENIED -> Optional.of(PermissionDeniedException::new);
      case RATE_LIMITED, DISK_FULL, TOO_MANY_STREAMS, QUOTA_EXCEEDED, QUEUE_FULL ->
          Optional.of(QuotaExceededException::new);
      case SANDBOX_NOT_FOUND,
          PROCESS_NOT_FOUND,
          FILE_NOT_FOUND,
          EXECUTION_NOT_FOUND,
          TEMPLATE_NOT_FOUND,
          ORGANIZATION_NOT_FOUND,
          API_KEY_NOT_FOUND,
          ROUTE_NOT_FOUND,
          WEBHOOK_NOT_FOUND,
          DELIVERY_NOT_FOUND,
          BLOB_NOT_FOUND,
          TEST_SET_NOT_FOUND ->
          Optional.of(NotFoundException::new);
      case SANDBOX_NOT_RUNNING, SANDBOX_STOPPED -> Optional.of(SandboxNotRunningException::new);
      case NO_CAPACITY -> Optional.of(NoCapacityException::new);
      case SERVICE_UNAVAILABLE, SANDBOX_START_FAILED -> Optional.of(UnavailableException::new);
      case NOT_IMPLEMENTED, INTERNAL -> Optional.of(DrydockException::new);
      case ERROR_REASON_UNSPECIFIED, UNRECOGNIZED -> Optional.empty();
    };
  }

  private static Maker makerOf(Status.Code code) {
    return switch (code) {
      case INVALID_ARGUMENT, OUT_OF_RANGE -> InvalidArgumentException::new;
      case DEADLINE_EXCEEDED -> DrydockTimeoutException::new;
      case NOT_FOUND -> NotFoundException::new;
      case ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED -> ConflictException::new;
      case PERMISSION_DENIED -> PermissionDeniedException::new;
      case UNAUTHENTICATED -> UnauthenticatedException::new;
      case RESOURCE_EXHAUSTED -> QuotaExceededException::new;
      case UNAVAILABLE -> UnavailableException::new;
      default -> DrydockException::new;
    };
  }
}
