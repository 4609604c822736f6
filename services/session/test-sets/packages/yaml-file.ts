import { parseDocument } from 'yaml';
import type { ArchiveFile } from './archive.ts';
import type { Findings } from './findings.ts';

const MAX_YAML_BYTES = 256 * 1024;
const MAX_ALIASES = 10;

export type Mapping = Record<string, unknown>;

/** The mapping of a YAML file. What is none is reported, and read as empty. */
export async function readYaml(file: ArchiveFile, findings: Findings): Promise<Mapping> {
  const text = await readText(file, findings);
  const document = parseDocument(text, { uniqueKeys: true });
  const [error] = document.errors;
  if (error) {
    findings.invalid(file.path, '', error.message.split('\n')[0] ?? 'is no YAML');
    return {};
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    if (value === null) return {};
    if (isMapping(value)) return value;
    findings.invalid(file.path, '', 'must be a mapping');
  } catch {
    findings.invalid(file.path, '', 'has too many aliases');
  }
  return {};
}

/** The text of a small file. */
export async function readText(file: ArchiveFile, findings: Findings): Promise<string> {
  if (file.sizeBytes > MAX_YAML_BYTES) {
    findings.invalid(file.path, '', `is larger than ${MAX_YAML_BYTES} bytes`);
    return '';
  }
  return Buffer.concat(await Array.fromAsync(file.read())).toString();
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
