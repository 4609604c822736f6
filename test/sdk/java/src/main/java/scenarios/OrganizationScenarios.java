package scenarios;

import dev.drydock.DrydockException;
import dev.drydock.InvalidArgumentException;
import dev.drydock.NotFoundException;
import dev.drydock.PermissionDeniedException;
import dev.drydock.UnauthenticatedException;
import java.util.List;
import java.util.Map;

/** What administers an organisation. */
final class OrganizationScenarios {
  private OrganizationScenarios() {}

  static final Map<String, Scenario> ALL =
      Main.scenarios(
          "api-keys", (Scenario) OrganizationScenarios::apiKeys,
          "organizations", (Scenario) OrganizationScenarios::organizations,
          "webhooks", (Scenario) OrganizationScenarios::webhooks,
          "templates", (Scenario) OrganizationScenarios::templates);

  private static void apiKeys() throws Exception {
    try (var tenant = Tenant.open()) {
      var apiKeys = tenant.drydock().apiKeys();
      var made = apiKeys.create("ci", options -> options.scopes("executions"));
      try (var other = Tenant.client(options -> options.apiKey(made.secret()))) {
        Checks.equal(0L, other.executions().list().stream().count());
        Checks.fails(PermissionDeniedException.class, () -> other.sandboxes().create("python"));
        Checks.that(apiKeys.list().stream().anyMatch(each -> each.displayName().equals("ci")), "it is listed");
        apiKeys.revoke(made.apiKey().id());
        Checks.eventually(
            UnauthenticatedException.class,
            () -> {
              try {
                return other.executions().list().stream().count();
              } catch (DrydockException error) {
                return error.getClass();
              }
            });
      }
    }
  }

  private static void organizations() {
    var organizations = Tenant.OPERATOR.organizations();
    var made = organizations.create("made", quota -> quota.queueWeight(200));
    Checks.equal("made", made.organization().displayName());
    Checks.equal(200, made.organization().quota().queueWeight());
    var id = made.organization().id();
    var changed =
        organizations.update(id, changes -> changes.displayName("changed").quota(quota -> quota.queuedExecutions(5)));
    Checks.equal("changed", changed.displayName());
    Checks.equal(List.of(200, 5), List.of(changed.quota().queueWeight(), changed.quota().queuedExecutions()));
    Checks.equal(changed, organizations.get(id));
    try (var own = Tenant.client(options -> options.apiKey(made.secret()))) {
      Checks.fails(PermissionDeniedException.class, () -> own.organizations().list().stream().count());
    }
    organizations.delete(id);
    Checks.fails(NotFoundException.class, () -> organizations.get(id));
  }

  private static void webhooks() {
    try (var tenant = Tenant.open()) {
      var webhooks = tenant.drydock().webhooks();
      var made = webhooks.create("https://example.com/hook");
      var id = made.webhook().id();
      Checks.that(made.secret().startsWith("whs_"), "a secret");
      Checks.equal(List.of(made.webhook()), webhooks.list().stream().toList());
      Checks.equal(made.webhook(), webhooks.get(id));
      Checks.that(!webhooks.rotateSecret(id).secret().equals(made.secret()), "another secret");
      Checks.equal(0L, webhooks.deliveries(id).stream().count());
      webhooks.delete(id);
      Checks.fails(NotFoundException.class, () -> webhooks.get(id));
      Checks.fails(InvalidArgumentException.class, () -> webhooks.create("ftp://example.com"));
    }
  }

  private static void templates() {
    var templates = Tenant.OPERATOR.templates();
    Checks.that(templates.list().stream().anyMatch(each -> each.id().equals("python")), "python is listed");
    Checks.that(templates.get("python").defaultLimits().memoryBytes() > 0, "it has limits");
    Checks.that(templates.languages().stream().count() > 20, "there are languages");
  }
}
