import { join } from 'node:path';

/** The checkout, and what is generated in it. */
export const ROOT = join(import.meta.dirname, '../..');
export const BUILD = join(ROOT, '.build');
/** The Node that the project pins. */
export const NODE = join(ROOT, 'node_modules/.bin/node');

/** Tells what goes on, a line at a time. */
export type Progress = (line: string) => void;
