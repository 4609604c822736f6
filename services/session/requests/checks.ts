import type { Catalog, Template } from '#libs/catalog/catalog.ts';
import { DrydockError, invalidField } from '#libs/errors.ts';
import type { FieldChecks } from '#libs/field-checks.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { ResourceLimits } from '#proto/drydock/v1/resources.ts';

export const KiB = 1024;
export const MiB = 1024 * KiB;

const MAX_VARIABLES = 128;
const MAX_ENVIRONMENT_BYTES = 32 * KiB;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function checkRequestId(check: FieldChecks, requestId: string): void {
  check.string('requestId', requestId, { maxLength: 128 });
}

export function checkEnvironment(check: FieldChecks, environment: Record<string, string>): void {
  const variables = Object.entries(environment);
  if (variables.length > MAX_VARIABLES) check.violation('environment', `has more than ${MAX_VARIABLES} variables`);
  let bytes = 0;
  for (const [name, value] of variables) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    if (!VARIABLE_NAME.test(name)) check.violation('environment', 'has a name that is not [A-Za-z_][A-Za-z0-9_]*');
    if (value.includes('\0')) check.violation(`environment.${firstCharacters(name, 64)}`, 'contains a NUL character');
  }
  if (bytes > MAX_ENVIRONMENT_BYTES) check.violation('environment', 'is larger than 32 KiB');
}

/** Refuses limits that cannot be enforced. */
export function refuseLimits(
  check: FieldChecks,
  field: string,
  limits: ResourceLimits | undefined,
  names: readonly (keyof ResourceLimits)[],
  description: string,
): void {
  for (const name of names) if (limits?.[name] !== undefined) check.violation(`${field}.${name}`, description);
}

export function findTemplate({ templates }: Catalog, id: string): Template {
  if (!id) throw invalidField('template', 'is required');
  const template = templates.get(id);
  if (template) return template;
  throw new DrydockError(
    'TEMPLATE_NOT_FOUND',
    `unknown template '${firstCharacters(id, 64)}'; ListTemplates names them`,
  );
}
