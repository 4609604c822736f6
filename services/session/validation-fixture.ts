import { join } from 'node:path';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';

export const catalog = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));

/** The reason, and the fields that it names. */
export function refusal(check: () => unknown): [string, string[]] {
  try {
    check();
  } catch (error) {
    if (error instanceof DrydockError) return [error.reason, (error.details.fields ?? []).map(({ field }) => field)];
    throw error;
  }
  return ['ACCEPTED', []];
}

export const many = (count: number, of: (index: number) => [string, string]) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => of(index)));
export const file = (name: string, value = 'x') => ({ name, content: { $case: 'text' as const, value } });
export const seconds = (seconds: number, nanos = 0) => ({ seconds, nanos });
export const limits = (fields: Partial<ResourceLimits>) => ResourceLimits.create(fields);
