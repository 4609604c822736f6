package scenarios;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/** What the tests lend: proxies, gateways to kill, and gateways with TLS. It ends with {@link #close}. */
final class Controls implements AutoCloseable {
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final String kind;
  private final JsonObject lent;

  private Controls(String kind, JsonObject lent) {
    this.kind = kind;
    this.lent = lent;
  }

  static Controls proxy() {
    return lend("proxies");
  }

  static Controls gateway() {
    return lend("gateways");
  }

  static Controls tlsGateway() {
    return lend("tls-gateways");
  }

  String text(String name) {
    return lent.get(name).getAsString();
  }

  String url() {
    return text("url");
  }

  void ask(String verb) {
    send("POST", "/" + kind + "/" + text("id") + "/" + verb);
  }

  @Override
  public void close() {
    send("DELETE", "/lent/" + text("id"));
  }

  private static Controls lend(String kind) {
    return new Controls(kind, JsonParser.parseString(send("POST", "/" + kind)).getAsJsonObject());
  }

  private static String send(String method, String path) {
    var uri = URI.create(System.getenv("DRYDOCK_CONTROLS") + path);
    var request = HttpRequest.newBuilder(uri).method(method, BodyPublishers.noBody()).build();
    HttpResponse<String> response;
    try {
      response = HTTP.send(request, BodyHandlers.ofString());
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
    if (response.statusCode() >= 300) throw new IllegalStateException(path + ": " + response.body());
    return response.body();
  }
}
