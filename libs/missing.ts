/** For `catch`: undefined if the file does not exist. Rethrows any other error. */
export function missingFile(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}
