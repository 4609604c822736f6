/**
 * A path of `google.api.http`, such as `/v1/sandboxes/{sandbox_id}/files/{path=**}:stat`: matches a raw URL path and
 * gives its variables, percent-decoded. `{name}` is one segment, `{name=**}` is the rest, slashes included.
 */
export type PathTemplate = {
  match(path: string): Record<string, string> | undefined;
  /** More of it is fixed: it goes before others that match too. */
  weight: number;
};

const VARIABLE = /\{([a-z_]+)(=\*\*)?\}/g;

export function parsePathTemplate(template: string): PathTemplate {
  const names: string[] = [];
  let at = 0;
  let pattern = '';
  for (const { index, 0: text, 1: name = '', 2: rest } of template.matchAll(VARIABLE)) {
    pattern += RegExp.escape(template.slice(at, index));
    // A colon begins the verb; one that belongs to a name is percent-encoded.
    pattern += rest ? '(.+)' : '([^/:]+)';
    names.push(name);
    at = index + text.length;
  }
  const regex = new RegExp(`^${pattern}${RegExp.escape(template.slice(at))}$`);
  const verb = template.lastIndexOf(':') > template.lastIndexOf('}') ? 1000 : 0;
  return {
    weight: verb + template.replaceAll(VARIABLE, '').length,
    match(path) {
      const found = regex.exec(path);
      if (!found) return undefined;
      try {
        return Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(found[index + 1]!)]));
      } catch {
        return undefined;
      }
    },
  };
}
