/** The beginning of a text, at most this many UTF-16 units, cut at the end of a character. */
export function firstCharacters(text: string, units: number): string {
  return text.slice(0, units).replace(/[\uD800-\uDBFF]$/, '');
}
