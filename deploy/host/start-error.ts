/** Something that a start can meet and its reader can mend: one line of what is wrong, one of what to do. */
export class StartError extends Error {
  override name = 'StartError';

  constructor(problem: string, fix: string, options?: ErrorOptions) {
    super(`${problem}\n  fix: ${fix}`, options);
  }
}

const BY_CODE: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the disk is read-only',
  EACCES: 'permission is denied',
  ENOTDIR: 'it is not a directory',
  EEXIST: 'it is not a directory',
};
const BY_WORDS: [RegExp, string][] = [
  [/no space left on device/i, 'the disk is full'],
  [/disk quota exceeded/i, 'the disk quota is used up'],
  [/read-only file system/i, 'the disk is read-only'],
];

/** Why a file could not be written, by an error of ours or by what a program said; nothing where it is about something else. */
export function diskProblemOf(error: unknown): string | undefined {
  const { code = '', message = '' } = error as NodeJS.ErrnoException;
  return BY_CODE[code] ?? BY_WORDS.find(([words]) => words.test(message))?.[1];
}
