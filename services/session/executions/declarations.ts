/** What a source file of the JVM declares. */
export type Declarations = {
  package: string;
  /** The public type, after which the file must be named. */
  publicType: string | undefined;
  /** Types with a main method, with those around them, as in `Outer$Inner`. At most 1,000, none deeper than 64 braces. */
  mains: Set<string>;
};

export type Kind = 'java' | 'scala';

const MAX_MAINS = 1_000;
const MAX_DEPTH = 64;
// The class file of a longer name could not be written.
const MAX_NAME = 240;
const MAX_PACKAGE = 4096;

const TYPES: Record<Kind, ReadonlySet<string>> = {
  java: new Set(['class', 'interface', 'enum', 'record']),
  scala: new Set(['object', 'class', 'trait']),
};
const PARENTS: ReadonlySet<string> = new Set(['extends', 'with']);
const APPS: ReadonlySet<string> = new Set(['App', 'scala.App']);

/** What has been read since the last brace or semicolon. */
type Statement = {
  name: string;
  isObject: boolean;
  isPublic: boolean;
  isStatic: boolean;
  isMain: boolean;
  isApp: boolean;
};

const nothing = (): Statement => ({
  name: '',
  isObject: false,
  isPublic: false,
  isStatic: false,
  isMain: false,
  isApp: false,
});

/** Reads what matters of a source file, in time and memory that are linear in its length. */
export function readDeclarations(kind: Kind, source: string): Declarations {
  const around = createTypesAround();
  const found: Declarations = { package: '', publicType: undefined, mains: new Set() };
  let statement = nothing();
  let [earlier, before, last] = ['', '', ''];
  /** The object whose body has no braces but is indented, as Scala 3 allows. */
  let indented = '';

  const add = (name: string) => {
    if (name && !around.isTooDeep() && found.mains.size < MAX_MAINS) found.mains.add(name);
  };
  const end = () => {
    const { name, isMain, isApp, isPublic } = statement;
    if (isMain) add(around.inner() || indented);
    if (isApp) add(around.nameOf(name));
    if (isPublic && around.isEmpty()) found.publicType ??= around.nameOf(name) || undefined;
  };
  const readWord = (word: string) => {
    if (last === 'package' && !TYPES[kind].has(word)) found.package = joined(found.package, word);
    // Scala 3 makes a class of the function's name.
    else if (kind === 'scala' && earlier === '@' && before === 'main' && last === 'def') add(word);
    else if (TYPES[kind].has(last)) statement = { ...statement, name: word, isObject: last === 'object', isApp: false };
    else if (word === 'public') statement.isPublic = true;
    else if (word === 'static') statement.isStatic = true;
    else if (statement.isObject && PARENTS.has(last) && APPS.has(word)) statement.isApp = true;
  };
  const readMark = (mark: string) => {
    if (mark === '(' && last === 'main')
      statement.isMain ||= kind === 'java' ? statement.isStatic && before === 'void' : before === 'def';
    if (mark === ':' && statement.isObject && (last === statement.name || APPS.has(last))) {
      if (around.isEmpty()) indented = statement.name;
      end();
      statement = nothing();
    }
    if (mark !== '{' && mark !== '}' && mark !== ';') return;
    end();
    if (mark === '{') around.enter(statement.name);
    if (mark === '}') around.leave();
    statement = nothing();
  };
  forEachToken(source, kind, (token, isWord) => {
    if (isWord) readWord(token);
    else readMark(token);
    earlier = before;
    before = last;
    last = token;
  });
  end();
  return found;
}

function joined(outer: string, inner: string): string {
  const whole = outer ? `${outer}.${inner}` : inner;
  return whole.length <= MAX_PACKAGE ? whole : outer;
}

/** The braces that are open, with the full names of the types that they belong to; empty for others. */
function createTypesAround() {
  const open: string[] = [];
  let deeper = 0;
  const nameOf = (name: string): string => {
    const outer = name && open.findLast((each) => each);
    const whole = outer ? `${outer}$${name}` : name;
    return whole.length <= MAX_NAME && Buffer.byteLength(whole) <= MAX_NAME ? whole : '';
  };
  return {
    nameOf,
    isEmpty: () => open.length === 0,
    isTooDeep: () => deeper > 0,
    inner: () => open.at(-1) ?? '',
    enter(name: string) {
      if (open.length < MAX_DEPTH) open.push(nameOf(name));
      else deeper++;
    },
    leave() {
      if (deeper > 0) deeper--;
      else open.pop();
    },
  };
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const CHARACTER = /'(?:\\u{1,8}\w{4}|\\[0-7]{1,3}|\\.|[^'\\\n])'/y;

/** Visits words, in which names are joined by dots, and single marks; comments and texts are left out. */
function forEachToken(source: string, kind: Kind, visit: (token: string, isWord: boolean) => void): void {
  let at = 0;
  while (at < source.length) {
    const code = source.charCodeAt(at);
    const start = at;
    if (isOfWord(code)) {
      while (at < source.length && isOfWord(source.charCodeAt(at))) at++;
      visit(source.slice(start, at), true);
    } else if (code <= 0x20) at++;
    else {
      at = endOfText(source, start, code, kind);
      if (at > start) continue;
      visit(source[start]!, false);
      at++;
    }
  }
}

function isOfWord(code: number): boolean {
  const letter = code | 0x20;
  if ((letter >= 0x61 && letter <= 0x7a) || code === 0x5f || code === 0x24 || code === 0x2e) return true;
  return (code >= 0x30 && code <= 0x39) || code >= 0x80;
}

/** Where the comment, the text or the character that begins at `at` ends; `at` if none does. Without an end it takes the rest. */
function endOfText(source: string, at: number, code: number, kind: Kind): number {
  if (code === QUOTE) {
    const isBlock = source.startsWith('"""', at);
    return endOfQuoted(source, at, isBlock, !isBlock || kind === 'java');
  }
  if (code === APOSTROPHE) {
    CHARACTER.lastIndex = at;
    return CHARACTER.test(source) ? CHARACTER.lastIndex : at;
  }
  if (code === SLASH && source[at + 1] === '*') return after('*/', source, at + 2);
  if (code === SLASH && source[at + 1] === '/') return after('\n', source, at + 2);
  return at;
}

function endOfQuoted(source: string, start: number, isBlock: boolean, hasEscapes: boolean): number {
  const quotes = isBlock ? '"""' : '"';
  for (let at = start + quotes.length; at < source.length; at++) {
    const code = source.charCodeAt(at);
    if (code === NEWLINE && !isBlock) return at;
    if (code === BACKSLASH && hasEscapes) at++;
    else if (code === QUOTE && source.startsWith(quotes, at)) return at + quotes.length;
  }
  return source.length;
}

function after(end: string, source: string, from: number): number {
  const found = source.indexOf(end, from);
  return found < 0 ? source.length : found + end.length;
}
