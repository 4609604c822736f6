package dev.drydock.testing;

import com.google.protobuf.Message;
import java.util.List;
import java.util.Map;

/**
 * A call that was made.
 *
 * @param method such as {@code RunCode}
 * @param requests one, or as many as the client streamed
 * @param headers what came beside them as text, such as {@code authorization}
 */
public record FakeCall(String method, List<Message> requests, Map<String, String> headers) {
  /**
   * Keeps a call.
   *
   * @param method such as {@code RunCode}
   * @param requests one, or as many as the client streamed
   * @param headers what came beside them as text, such as {@code authorization}
   */
  public FakeCall {
    requests = List.copyOf(requests);
    headers = Map.copyOf(headers);
  }
}
