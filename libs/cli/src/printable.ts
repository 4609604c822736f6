/**
 * Characters that a terminal acts on instead of showing them: controls, and those that reorder or hide text. The zero-width joiner
 * stays: it makes one of several emoji.
 */
const UNPRINTABLE = /[\p{Cc}\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

/** A text of somebody else on one line, with what a terminal would act on shown as `\u{…}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (each) => `\\u{${each.codePointAt(0)!.toString(16)}}`);
}

/** Whether a terminal only shows a text, in one line or several. */
export function isPrintable(text: string): boolean {
  return printable(text.replaceAll('\n', '')) === text.replaceAll('\n', '');
}

/** The same with its lines and tabs. */
export function printableLines(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.split('\t').map(printable).join('\t'))
    .join('\n');
}

/** JSON as it is, but for characters that JSON allows and a terminal acts on, which become escapes. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (each) => (each === '\n' ? each : escaped(each)));
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');
}
