/** For `catch`: nothing where the file is not there. Any other failure is thrown on: it says nothing of the file. */
export function missingFile(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}
