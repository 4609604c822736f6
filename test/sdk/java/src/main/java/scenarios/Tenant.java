package scenarios;

import dev.drydock.Drydock;
import dev.drydock.DrydockOptions;
import dev.drydock.Quota;
import dev.drydock.Sandbox;
import java.time.Duration;
import java.util.function.Consumer;

/** An organisation of its own, whose sandboxes go with it, and a client of it. */
record Tenant(Drydock drydock, String secret, String organizationId) implements AutoCloseable {
  static final String URL = System.getenv("DRYDOCK_URL");
  static final String API_KEY = System.getenv("DRYDOCK_API_KEY");
  static final Drydock OPERATOR = Drydock.create();

  static Tenant open() {
    return open(quota -> {}, options -> {});
  }

  static Tenant at(String url) {
    return open(quota -> {}, options -> options.url(url));
  }

  static Tenant open(Consumer<Quota.Builder> quota, Consumer<DrydockOptions> options) {
    var made = OPERATOR.organizations().create("sdk", quota);
    var drydock = client(options.andThen(given -> given.apiKey(made.secret())));
    return new Tenant(drydock, made.secret(), made.organization().id());
  }

  static Drydock client(Consumer<DrydockOptions> options) {
    return Drydock.create(given -> options.accept(given.url(URL).apiKey(API_KEY)));
  }

  Sandbox sandbox() {
    return drydock.sandboxes().create("python", options -> options.lifetime(Duration.ofMinutes(5)).keep());
  }

  @Override
  public void close() {
    drydock.close();
    OPERATOR.organizations().delete(organizationId);
  }
}
