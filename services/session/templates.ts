import type { Catalog, Language, Template } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { type PageRequest, readPage, toPage } from '#libs/pages.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import type {
  Language as PublicLanguage,
  Template as PublicTemplate,
  TemplateServiceDefinition,
} from '#proto/drydock/v1/template.ts';

export function createTemplates({ templates, languages }: Catalog): Rpc<TemplateServiceDefinition> {
  const toTemplate = ({ id, description, limits, writableRoot }: Template): PublicTemplate => ({
    id,
    description,
    defaultLimits: ResourceLimits.create(limits),
    languages: [...languages.values()].filter(({ template }) => template === id).map(({ name }) => name),
    writableRoot,
  });
  return {
    async getTemplate({ templateId }) {
      const template = templates.get(templateId);
      if (!template) throw new DrydockError('TEMPLATE_NOT_FOUND', 'no such template; ListTemplates names them');
      return { template: toTemplate(template) };
    },
    async listTemplates(request) {
      const { page, nextPageToken } = pageOf([...templates.values()], ({ id }) => id, request);
      return { templates: page.map(toTemplate), nextPageToken };
    },
    async listLanguages(request) {
      const { page, nextPageToken } = pageOf([...languages.values()], ({ name }) => name, request);
      return { languages: page.map(toLanguage), nextPageToken };
    },
  };
}

function toLanguage({ name, displayName, template, sourceFile, compile }: Language): PublicLanguage {
  return { name, displayName, template, sourceFile, compiled: compile !== undefined };
}

function pageOf<T>(all: T[], idOf: (item: T) => string, request: PageRequest) {
  const { limit, after = '' } = readPage(request);
  const sorted = all.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1)).filter((item) => idOf(item) > after);
  return toPage(sorted, limit, idOf);
}
