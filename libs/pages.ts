import { invalidField } from '#libs/errors.ts';

const DEFAULT_SIZE = 50;
const MAX_SIZE = 1000;

export type PageRequest = { pageSize: number; pageToken: string };

/** The page's size, and the id after which it begins. A token is the encoded last id of the page before. Errors: INVALID_FIELD. */
export function readPage({ pageSize, pageToken }: PageRequest): { limit: number; after: string | undefined } {
  if (pageSize < 0 || pageSize > MAX_SIZE) throw invalidField('pageSize', `must be from 0 to ${MAX_SIZE}`);
  const after = Buffer.from(pageToken, 'base64url').toString();
  if (pageToken && !/^[\w.-]{1,64}$/.test(after)) throw invalidField('pageToken', 'is not a token of this method');
  return { limit: pageSize || DEFAULT_SIZE, after: after || undefined };
}

/** Cuts rows, read with one more than the limit, to a page; with the token of the next page. */
export function toPage<T>(rows: T[], limit: number, idOf: (row: T) => string): { page: T[]; nextPageToken: string } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { page, nextPageToken: more ? Buffer.from(idOf(last)).toString('base64url') : '' };
}
