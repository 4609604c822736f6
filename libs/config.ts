export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads variables and remembers every problem; `check()` throws them all in one error.
 * A variable without a default is required. Values read before `check()` may be placeholders.
 */
export function readEnvironment(env: Environment) {
  const problems: string[] = [];
  const read = (name: string, fallback: string | undefined): string => {
    const value = env[name] || fallback;
    if (value === undefined) problems.push(`${name}: is required`);
    return value ?? '';
  };
  return {
    string: (name: string, fallback?: string): string => read(name, fallback),
    optional: (name: string): string | undefined => env[name] || undefined,
    /** `words` say what `pattern` takes. */
    matching(name: string, pattern: RegExp, words: string, fallback?: string): string {
      const value = read(name, fallback);
      if (value && !pattern.test(value)) problems.push(`${name}: needs ${words}, not '${value}'`);
      return value;
    },
    /** `protocols` as a URL has them: `http:`. */
    optionalUrl(name: string, protocols: string[]): string | undefined {
      const value = env[name] || undefined;
      const { protocol = '' } = (value && URL.parse(value)) || {};
      if (value && !protocols.includes(protocol)) {
        const words = protocols.map((each) => each.slice(0, -1)).join(' or ');
        problems.push(`${name}: needs a URL of ${words}, not '${value}'`);
      }
      return value;
    },
    integer(name: string, fallback?: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): number {
      const text = read(name, fallback?.toString());
      const value = Number(text);
      if (text !== '' && !(Number.isInteger(value) && value >= min && value <= max))
        problems.push(`${name}: needs a whole number from ${min} to ${max}, not '${text}'`);
      return value;
    },
    oneOf<const T extends string>(name: string, values: readonly T[], fallback?: T): T {
      const value = read(name, fallback) as T;
      if (value && !values.includes(value)) problems.push(`${name}: cannot use '${value}', only ${values.join(', ')}`);
      return value;
    },
    /** Values separated by commas, each as `parse` reads it, which throws where it cannot. Default: none. */
    list<T>(name: string, parse: (text: string) => T, fallback = ''): T[] {
      const texts = (env[name] || fallback).split(',').map((text) => text.trim());
      return texts.filter(Boolean).flatMap((text) => {
        try {
          return [parse(text)];
        } catch {
          problems.push(`${name}: cannot use '${text}'`);
          return [];
        }
      });
    },
    /** Remembers a problem of a variable that others make one. */
    problem: (name: string, words: string): void => void problems.push(`${name}: ${words}`),
    check(): void {
      if (problems.length > 0) throw new Error(`bad configuration\n  ${problems.join('\n  ')}`);
    },
  };
}
