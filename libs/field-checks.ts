import { type FieldViolation, invalidFields } from '#libs/errors.ts';

export type FieldChecks = {
  violation(field: string, description: string): void;
  /** Length in characters. An absent value passes unless `required`. */
  string(field: string, value: string | undefined, rule: { required?: boolean; maxLength?: number }): void;
  /** Throws INVALID_FIELD with everything found. */
  done(): void;
};

/** Collects what is wrong with a request, so that a caller hears of every field at once. */
export function checkFields(): FieldChecks {
  const violations: FieldViolation[] = [];
  const violation = (field: string, description: string) => void violations.push({ field, description });
  return {
    violation,
    string(field, value, { required = false, maxLength = Number.POSITIVE_INFINITY }) {
      if (required && !value) violation(field, 'is required');
      else if (value && value.length > maxLength) violation(field, `is longer than ${maxLength} characters`);
      else if (value?.includes('\0')) violation(field, 'contains a NUL character');
    },
    done() {
      if (violations.length > 0) throw invalidFields(violations);
    },
  };
}
