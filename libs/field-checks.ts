import { type FieldViolation, invalidFields } from '#libs/errors.ts';
import { firstCharacters } from './first-characters.ts';

// Details travel in trailers, which clients accept up to 8 KiB of.
const MAX_VIOLATIONS = 20;
const MAX_FIELD_LENGTH = 100;

export type FieldChecks = {
  violation(field: string, description: string): void;
  /** Length in characters. An absent value passes unless `required`. */
  string(field: string, value: string | undefined, rule: { required?: boolean; maxLength?: number }): void;
  /**
   * The fields that an update changes: those that its mask names, else those of `set`, which has every name that may be changed,
   * that are true. Others in the mask, and none at all, are violations of `updateMask`.
   */
  updated(mask: string[] | undefined, set: Record<string, boolean>): Set<string>;
  /** Throws INVALID_FIELD with everything found, up to 20 violations. */
  done(): void;
};

/** Collects the violations of a request, so that one answer reports many fields. */
export function checkFields(): FieldChecks {
  const violations: FieldViolation[] = [];
  const violation = (field: string, description: string) => {
    if (violations.length < MAX_VIOLATIONS)
      violations.push({ field: firstCharacters(field, MAX_FIELD_LENGTH), description });
  };
  return {
    violation,
    string(field, value, { required = false, maxLength = Number.POSITIVE_INFINITY }) {
      if (required && !value) violation(field, 'is required');
      else if (value && value.length > maxLength) violation(field, `is longer than ${maxLength} characters`);
      else if (value?.includes('\0')) violation(field, 'contains a NUL character');
    },
    updated(mask = [], set) {
      const paths = mask.length > 0 ? mask : Object.keys(set).filter((name) => set[name]);
      for (const path of paths)
        if (!Object.hasOwn(set, path)) violation('updateMask', `cannot change '${firstCharacters(path, 64)}'`);
      if (paths.length === 0) violation('updateMask', 'names nothing to change');
      return new Set(paths);
    },
    done() {
      if (violations.length > 0) throw invalidFields(violations);
    },
  };
}
