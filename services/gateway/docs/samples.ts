import { readFile } from 'node:fs/promises';

/** A program that uses an operation, as the reference shows it. */
export type Sample = { lang: string; label: string; source: string };

/** By the `operationId` of OpenAPI, such as `ExecutionService_RunCode`. */
export type Samples = Readonly<Record<string, readonly Sample[]>>;

/** Reads what the build gathered from the examples of the SDKs. */
export async function readSamples(file: string): Promise<Samples> {
  return JSON.parse(await readFile(file, 'utf8')) as Samples;
}
