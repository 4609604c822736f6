import type { Catalog, Language } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { FieldChecks } from '#libs/field-checks.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { AppliedLimits, ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import { KiB } from '../requests/checks.ts';

const MAX_ARGUMENT_BYTES = 128 * KiB;

export function stepOf(
  command: string[],
  environment: Record<string, string>,
  limits: AppliedLimits,
  language?: Language,
): ExecutionStep {
  return {
    command,
    environment,
    limits,
    heapFullSignal: language?.heapFull ?? '',
    interruptSignal: language?.interrupt ?? '',
    streamEnvironment: { ...language?.streamEnvironment },
  };
}

export function checkArguments(check: FieldChecks, field: string, list: string[], max: number): void {
  if (list.length > max) check.violation(field, `are more than ${max}`);
  if (list.some((argument) => argument.includes('\0'))) check.violation(field, 'contain a NUL character');
  if (list.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0) > MAX_ARGUMENT_BYTES)
    check.violation(field, 'are larger than 128 KiB');
}

/** Errors: LANGUAGE_NOT_FOUND. */
export function findLanguage({ languages }: Catalog, name: string): Language {
  const language = languages.get(name);
  if (language) return language;
  throw new DrydockError(
    'LANGUAGE_NOT_FOUND',
    `unknown language '${firstCharacters(name, 64)}'; ListLanguages names them`,
  );
}
