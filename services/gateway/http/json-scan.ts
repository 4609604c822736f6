import { DrydockError } from '#libs/errors.ts';

/** Values that one body may have: members of objects, items of arrays, and those that are neither. */
const MAX_VALUES = 200_000;
const MAX_DEPTH = 32;

const [QUOTE, BACKSLASH, COMMA, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\,[]{}');

/**
 * Refuses JSON that would become more values than a request needs, before an object is made of it: a few bytes of `{}` are
 * a hundred of memory. What is no JSON passes; its parser finds it. Errors: REQUEST_TOO_LARGE, MALFORMED_REQUEST.
 */
export function scanJson(bytes: Uint8Array): void {
  let values = 1;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) inString = false;
      continue;
    }
    if (byte === QUOTE) inString = true;
    else if (byte === COMMA) values += 1;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      values += 1;
      depth += 1;
      if (depth > MAX_DEPTH)
        throw new DrydockError('MALFORMED_REQUEST', `the body is nested more than ${MAX_DEPTH} deep`);
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
    if (values > MAX_VALUES) throw new DrydockError('REQUEST_TOO_LARGE', `the body has more than ${MAX_VALUES} values`);
  }
}
