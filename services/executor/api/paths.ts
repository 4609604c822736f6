import { invalidField } from '#libs/errors.ts';

const MAX_PATH_BYTES = 4096;

/** The problem with a path in a sandbox, as the rest of a sentence; undefined if there is none. */
export function problemOfPath(path: string): string | undefined {
  if (!path) return 'is required';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES} bytes`;
  if (path.includes('\0')) return 'contains a NUL character';
  if (path.split('/').includes('..')) return "must not contain '..'";
  return undefined;
}

/** Throws INVALID_FIELD if a path is not valid. */
export function checkPath(field: string, path: string): void {
  const problem = problemOfPath(path);
  if (problem) throw invalidField(field, problem);
}
