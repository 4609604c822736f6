import { DrydockError } from '#libs/errors.ts';

/** A path as `google.api.http` writes it: `/v1/things/{thing_id}/files/{path=**}:verb`. */
export type PathTemplate = {
  source: string;
  pattern: RegExp;
  /** Field paths, in the order of the pattern's groups. */
  fields: readonly string[];
  /** How much of a path it fixes: of two templates that match, the one with the higher number is meant. */
  specificity: number;
};

const PIECE = /\{([a-z0-9_.]+)(?:=(\*\*?))?\}|([^{}]+)/y;

/**
 * Compiles a template. Variables are one segment (`{a}`, `{a=*}`) or any number of segments (`{a=**}`); a segment of a
 * variable holds no `:` unless it is percent-encoded, so that a verb is never taken for a part of an id.
 */
export function parsePathTemplate(source: string): PathTemplate {
  const fields: string[] = [];
  let pattern = '';
  let specificity = 0;
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < source.length) {
    const match = PIECE.exec(source);
    if (!match) throw new Error(`cannot read the path template ${source}`);
    const [, field, stars, literal] = match;
    if (literal) {
      if (literal.includes('*')) throw new Error(`a wildcard without a name in ${source}`);
      pattern += RegExp.escape(literal);
      specificity += literal.length;
    } else if (field) {
      fields.push(field);
      pattern += stars === '**' ? '(.*)' : '([^/:]+)';
    }
  }
  return { source, pattern: new RegExp(`^${pattern}$`, 's'), fields, specificity };
}

/** The fields of a path, decoded; undefined where the template does not match. `path` is raw, as it came. */
export function matchPath({ pattern, fields }: PathTemplate, path: string): Map<string, string> | undefined {
  const match = pattern.exec(path);
  if (!match) return undefined;
  return new Map(fields.map((field, i) => [field, decode(field, match[i + 1] ?? '')]));
}

function decode(field: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    const description = 'is not valid percent-encoded UTF-8';
    throw new DrydockError('MALFORMED_REQUEST', `${field}: ${description}`, { fields: [{ field, description }] });
  }
}
