import { DrydockError, type Reason } from '#libs/errors.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { PackageNote } from '#proto/drydock/v1/test_set.ts';

// As many as fit into the trailers of an answer.
const MAX_FAULTS = 20;
const MAX_FIELD = 100;
const MAX_DESCRIPTION = 200;
const MAX_NOTES = 1000;

/** What is found in a package, by file and key. An empty key means the file. */
export type Findings = {
  invalid(file: string, key: string, description: string): void;
  unsupported(file: string, key: string, description: string): void;
  /** What has no meaning here, and changes no verdict. */
  note(file: string, key: string, description: string): void;
  notes: PackageNote[];
  /** Errors: PACKAGE_INVALID, PACKAGE_UNSUPPORTED. */
  done(): void;
};

export function createFindings(): Findings {
  const faults = { PACKAGE_INVALID: [], PACKAGE_UNSUPPORTED: [] } as Record<string, [string, string][]>;
  const notes: PackageNote[] = [];
  const noted = new Set<string>();
  const add = (reason: Reason) => (file: string, key: string, description: string) => {
    faults[reason]!.push([key ? `${file}: ${key}` : file, description]);
  };
  return {
    invalid: add('PACKAGE_INVALID'),
    unsupported: add('PACKAGE_UNSUPPORTED'),
    note(file, key, description) {
      const name = `${file}\0${key}`;
      if (noted.has(name) || notes.length >= MAX_NOTES) return;
      noted.add(name);
      notes.push({ file, key, description });
    },
    notes,
    done() {
      for (const reason of ['PACKAGE_INVALID', 'PACKAGE_UNSUPPORTED'] as const)
        if (faults[reason]!.length > 0) throw packageError(reason, faults[reason]!);
    },
  };
}

export function packageError(reason: Reason, faults: readonly [field: string, description: string][]): DrydockError {
  const fields = faults.slice(0, MAX_FAULTS).map(([field, description]) => ({
    field: firstCharacters(field, MAX_FIELD),
    description: firstCharacters(description, MAX_DESCRIPTION),
  }));
  const more = faults.length > fields.length ? `; and ${faults.length - fields.length} more` : '';
  const message = fields.map(({ field, description }) => `${field}: ${description}`).join('; ');
  return new DrydockError(reason, `${message}${more}`, { fields });
}
