import ts from 'typescript';

/**
 * Wordings that make a reader look elsewhere for what is meant, each with what to write instead. They are looked for in comments and
 * in texts that people read, not in names.
 */
const WORDINGS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bwho(m)?ever\b/i, 'name the caller, the client or the service'],
  [/\bwhatever (that|it|comes|they|he)\b/i, 'name the thing'],
  [/\bnobody's\b/i, 'unowned, without a claim'],
  [/\belse it goes\b/i, 'destroys any other'],
  [/\bso many\b/i, 'this many, or the number'],
  [/\bgoes without\b/i, 'cannot be combined with'],
  [/\bwhat nobody\b/i, 'the standard term'],
  [/\bbe it that\b/i, 'even if'],
  [/\bin vain\b/i, 'the condition that can never hold'],
  [/\bis gone\b/i, 'has ended, was deleted, is lost'],
];

/** Places of such wordings in a file, as `file:line: wording (instead)`. */
export function wordsIn(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const check = (text: string, at: number) => {
    for (const [pattern, instead] of WORDINGS) {
      const match = pattern.exec(text);
      if (!match) continue;
      const { line } = source.getLineAndCharacterOfPosition(at + match.index);
      found.push(`${source.fileName}:${line + 1}: '${match[0]}' (${instead})`);
    }
  };
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, source.text);
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan())
    if (TEXTS.has(token)) check(scanner.getTokenText(), scanner.getTokenStart());
  return found;
}

const TEXTS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.SingleLineCommentTrivia,
  ts.SyntaxKind.MultiLineCommentTrivia,
  ts.SyntaxKind.StringLiteral,
  ts.SyntaxKind.NoSubstitutionTemplateLiteral,
  ts.SyntaxKind.TemplateHead,
  ts.SyntaxKind.TemplateMiddle,
  ts.SyntaxKind.TemplateTail,
]);
