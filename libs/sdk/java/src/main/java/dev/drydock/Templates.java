package dev.drydock;

import dev.drydock.Connection.Kind;
import dev.drydock.internal.v1.GetTemplateRequest;
import dev.drydock.internal.v1.ListLanguagesRequest;
import dev.drydock.internal.v1.ListTemplatesRequest;
import dev.drydock.internal.v1.TemplateServiceGrpc;

/** What sandboxes can be made of, and which languages run. */
public final class Templates {
  private final Connection connection;

  Templates(Connection connection) {
    this.connection = connection;
  }

  /**
   * Tells of one template.
   *
   * @param id such as {@code python}
   * @return the template
   * @throws NotFoundException if there is no such template
   */
  public Template get(String id) {
    var request = GetTemplateRequest.newBuilder().setTemplateId(id).build();
    return Template.of(connection.unary(TemplateServiceGrpc.getGetTemplateMethod(), request, Kind.SAFE).getTemplate());
  }

  /** {@return every template, by id} */
  public Paged<Template> list() {
    return new Paged<>(
        pageToken -> {
          var request = ListTemplatesRequest.newBuilder().setPageToken(pageToken).build();
          var answer = connection.unary(TemplateServiceGrpc.getListTemplatesMethod(), request, Kind.SAFE);
          return new Paged.Page<>(
              answer.getTemplatesList().stream().map(Template::of).toList(), answer.getNextPageToken());
        });
  }

  /** {@return every language, by name} */
  public Paged<Language> languages() {
    return new Paged<>(
        pageToken -> {
          var request = ListLanguagesRequest.newBuilder().setPageToken(pageToken).build();
          var answer = connection.unary(TemplateServiceGrpc.getListLanguagesMethod(), request, Kind.SAFE);
          return new Paged.Page<>(
              answer.getLanguagesList().stream().map(Language::of).toList(), answer.getNextPageToken());
        });
  }
}
