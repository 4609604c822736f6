export function execFile(): never {
  throw new Error('a page starts no processes');
}
