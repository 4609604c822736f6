import { UsageError } from '../failures.ts';

export type Place = { sandboxId: string | undefined; path: string };

/** `ID:PATH` in a sandbox, or a local path. */
export function parsePlace(text: string): Place {
  const [, sandboxId, path] = /^(sbx_[0-9a-z]+):(.*)$/is.exec(text) ?? [];
  if (sandboxId === undefined) return { sandboxId: undefined, path: text };
  return { sandboxId, path: path || '.' };
}

/** A name that a sandbox says a file has, to be used here: one part of a path, and none that leads elsewhere. */
export function localName(name: string): string {
  if (!name || name === '.' || name === '..' || /[/\\\0]/.test(name))
    throw new UsageError(`the sandbox has a file that cannot be made here: ${JSON.stringify(name)}`);
  return name;
}

/** The last part of a path in a sandbox. */
export function lastPart(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

export function joined(directory: string, name: string): string {
  return directory === '.' || directory === '' ? name : `${directory.replace(/\/+$/, '')}/${name}`;
}
