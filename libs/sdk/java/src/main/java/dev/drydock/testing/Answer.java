package dev.drydock.testing;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a fake server answers to a call.
 *
 * @param messages one, or as many as a stream has
 * @param failure what follows them; null where the call succeeds
 */
public record Answer(List<Message> messages, @Nullable StatusRuntimeException failure) {
  /**
   * Makes an answer.
   *
   * @param messages one, or as many as a stream has
   * @param failure what follows them; null where the call succeeds
   */
  public Answer {
    messages = List.copyOf(messages);
  }

  /**
   * Succeeds.
   *
   * @param messages one, or as many as a stream has
   * @return the answer
   */
  public static Answer of(Message... messages) {
    return new Answer(List.of(messages), null);
  }

  /**
   * Fails as the platform does.
   *
   * @param code such as {@code NOT_FOUND}
   * @param reason a name of the API, such as {@code SANDBOX_NOT_FOUND}
   * @param message of the exception
   * @return the answer
   */
  public static Answer failing(Status.Code code, String reason, String message) {
    return failing(code, reason, message, null);
  }

  /**
   * Fails, and says when to try again.
   *
   * @param code such as {@code UNAVAILABLE}
   * @param reason a name of the API, such as {@code SERVICE_UNAVAILABLE}
   * @param message of the exception
   * @param retryAfter null where it does not say
   * @return the answer
   */
  public static Answer failing(Status.Code code, String reason, String message, @Nullable Duration retryAfter) {
    var info = ErrorInfo.newBuilder().setReason(reason).setDomain("drydock").build();
    var status = com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage(message).addDetails(Any.pack(info));
    if (retryAfter != null) {
      var delay = com.google.protobuf.Duration.newBuilder().setSeconds(retryAfter.getSeconds()).setNanos(retryAfter.getNano());
      status.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()));
    }
    return new Answer(List.of(), StatusProto.toStatusRuntimeException(status.build()));
  }

  /**
   * Adds a failure after the messages of a stream.
   *
   * @param last an answer that fails
   * @return the messages of this one, and the failure of the other
   */
  public Answer then(Answer last) {
    return new Answer(messages, last.failure());
  }
}
