/** Reports the problems of a value of unknown shape at a path. */
export type Check = (value: unknown, at: string, problem: (at: string, words: string) => void) => void;

/** All problems that a check finds. The value has the type only if there are none. */
export function checked<T>(value: unknown, check: Check): { value: T; problems: string[] } {
  const problems: string[] = [];
  check(value, '', (at, words) => problems.push(at ? `${at}: ${words}` : words));
  return { value: value as T, problems };
}

export const text: Check = (value, at, problem) => {
  if (typeof value !== 'string' || value === '') problem(at, 'must be a text that is not empty');
};

export const yesOrNo: Check = (value, at, problem) => {
  if (typeof value !== 'boolean') problem(at, 'must be true or false');
};

export function matches(pattern: RegExp, words: string): Check {
  return (value, at, problem) => {
    if (typeof value !== 'string' || !pattern.test(value)) problem(at, `must be ${words}`);
  };
}

export function number({ min, max }: { min: number; max: number }): Check {
  return (value, at, problem) => {
    if (!(typeof value === 'number' && value >= min && value <= max)) problem(at, `must be from ${min} to ${max}`);
  };
}

export function integer(range: { min: number; max: number }): Check {
  const inRange = number(range);
  return (value, at, problem) => {
    if (typeof value === 'number' && !Number.isInteger(value)) problem(at, 'must be a whole number');
    else inRange(value, at, problem);
  };
}

export function anyOf(words: string, check: Check, accept: (value: unknown) => boolean): Check {
  return (value, at, problem) => {
    if (!accept(value)) check(value, at, () => problem(at, `must be ${words}`));
  };
}

/** A list that is not empty. */
export function list(check: Check): Check {
  return (value, at, problem) => {
    if (!Array.isArray(value) || value.length === 0) return problem(at, 'must be a list that is not empty');
    for (const [index, item] of value.entries()) check(item, `${at}[${index}]`, problem);
  };
}

/** An object with all fields of the first, any of the second, and no others. */
export function object(required: Record<string, Check>, optional: Record<string, Check> = {}): Check {
  return (value, at, problem) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return problem(at, 'must be an object');
    const inside = (name: string) => (at ? `${at}.${name}` : name);
    for (const name of Object.keys(required)) if (!(name in value)) problem(inside(name), 'is required');
    for (const [name, inner] of Object.entries(value)) {
      const check = required[name] ?? optional[name];
      if (check) check(inner, inside(name), problem);
      else problem(inside(name), 'is not known here');
    }
  };
}
