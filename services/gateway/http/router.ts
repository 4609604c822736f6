import { DrydockError } from '#libs/errors.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { Binding } from './bindings.ts';
import { matchPath } from './path-template.ts';

export type Route = { binding: Binding; fields: Map<string, string> };

/** No such route. With `allow`, the path has routes of other methods. */
export class RouteNotFound extends DrydockError {
  readonly allow: readonly string[];

  constructor(verb: string, path: string, allow: readonly string[]) {
    const shown = path.length > 200 ? `${firstCharacters(path, 200)}…` : path;
    const message =
      allow.length > 0 ? `${shown} has no ${verb}, only ${allow.join(', ')}` : `no such route: ${verb} ${shown}`;
    super('ROUTE_NOT_FOUND', message);
    this.allow = allow;
  }
}

/** Finds the route of a request by method and raw path. Throws RouteNotFound. */
export function createRouter(bindings: readonly Binding[]): (verb: string, path: string) => Route {
  const sorted = bindings.toSorted((a, b) => b.template.specificity - a.template.specificity);
  return (verb, path) => {
    const matching = sorted.filter(({ template }) => template.pattern.test(path));
    const binding = matching.find((candidate) => candidate.verb === verb);
    if (!binding) throw new RouteNotFound(verb, path, [...new Set(matching.map(({ verb }) => verb))].sort());
    return { binding, fields: matchPath(binding.template, path)! };
  };
}
