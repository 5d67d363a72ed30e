/**
 * A light scanner of TypeScript: enough to see imports, exports and a few words, and nothing else. It never guesses: where a slash
 * could be a division or open a regular expression, it refuses, because a wrong guess could hide an import in what looks like text.
 * (ECMA-262 section 12; the rules for `/` are those of section 12.1's goal symbols.)
 */
export type TokenKind = 'word' | 'text' | 'template' | 'number' | 'regex' | 'sign';
export interface Token {
  readonly kind: TokenKind;
  /** A word or sign as written; the text of a string without its quotes, escapes as written. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
}
export interface Tokens {
  readonly tokens: readonly Token[];
  readonly comments: readonly { readonly start: number; readonly end: number }[];
  /** Where and why reading stopped. */
  readonly stopped?: { readonly at: number; readonly what: string };
}

const wordStart = /[\p{ID_Start}$_]/u;
const wordPart = /[\p{ID_Continue}$\u200c\u200d]/u;
const beforeRegex = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'delete',
  'void',
  'throw',
  'new',
  'instanceof',
  'do',
  'else',
  'yield',
  'await',
  'extends',
  'default',
]);
const headed = new Set(['if', 'while', 'for', 'with']);
const signs = [
  '>>>=',
  '...',
  '===',
  '!==',
  '**=',
  '<<=',
  '>>=',
  '>>>',
  '&&=',
  '||=',
  '??=',
  '=>',
  '==',
  '!=',
  '<=',
  '>=',
  '&&',
  '||',
  '??',
  '?.',
  '++',
  '--',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '&=',
  '|=',
  '^=',
  '<<',
  '**',
];

type Slash = 'division' | 'regex' | 'unclear';

/** Divides a text into tokens; stops at the first place that cannot be read without doubt. */
export function tokensOf(text: string): Tokens {
  const tokens: Token[] = [];
  const comments: { start: number; end: number }[] = [];
  /** For each open bracket: its sign, and for `(` whether a statement's head opened it; '`' is a `${` in a template. */
  const open: { sign: string; headed: boolean }[] = [];
  let lastClosedHeaded = false;
  let at = 0;
  const stop = (where: number, what: string): Tokens => ({ tokens, comments, stopped: { at: where, what } });
  const push = (kind: TokenKind, start: number, end: number, value = text.slice(start, end)): void => {
    tokens.push({ kind, value, start, end });
    at = end;
  };

  const slash = (): Slash => {
    const last = tokens.at(-1);
    if (!last) return 'regex';
    if (last.kind === 'word') return beforeRegex.has(last.value) && tokens.at(-2)?.value !== '.' ? 'regex' : 'division';
    if (last.kind !== 'sign') return 'division';
    if (last.value === ')') return lastClosedHeaded ? 'regex' : 'division';
    if (last.value === ']') return 'division';
    if (last.value === '}' || last.value === '++' || last.value === '--' || last.value === '>') return 'unclear';
    if (last.value === '!') {
      const before = tokens.at(-2);
      const operand = before !== undefined && (before.kind !== 'sign' ? !beforeRegex.has(before.value) : /^[)\]}]$/.test(before.value));
      return operand ? 'unclear' : 'regex';
    }
    return 'regex';
  };

  /** Reads template characters up to the closing back quote or the next `${`. */
  const template = (start: number): Tokens | null => {
    let i = at;
    for (;;) {
      const c = text[i];
      if (c === undefined) return stop(start, 'a template that is not closed');
      if (c === '\\') i += 2;
      else if (c === '`') {
        push('template', start, i + 1);
        return null;
      } else if (c === '$' && text[i + 1] === '{') {
        tokens.push({ kind: 'sign', value: '${', start: i, end: i + 2 });
        open.push({ sign: '`', headed: false });
        at = i + 2;
        return null;
      } else i += 1;
    }
  };

  while (at < text.length) {
    const start = at;
    const c = text.charAt(at);
    if (c === ' ' || c === '\t' || c === '\n' || c === '\r' || c === '\u00a0') at += 1;
    else if (c === '/' && text[at + 1] === '/') {
      const end = text.slice(at).search(/[\n\r\u2028\u2029]/);
      at = end < 0 ? text.length : at + end;
      comments.push({ start, end: at });
    } else if (c === '/' && text[at + 1] === '*') {
      const end = text.indexOf('*/', at + 2);
      if (end < 0) return stop(start, 'a comment that is not closed');
      at = end + 2;
      comments.push({ start, end: at });
    } else if (c === '"' || c === "'") {
      let i = at + 1;
      while (i < text.length && text[i] !== c && text[i] !== '\n' && text[i] !== '\r')
        i += text[i] === '\\' ? (text[i + 1] === '\r' && text[i + 2] === '\n' ? 3 : 2) : 1;
      if (text[i] !== c) return stop(start, 'a string that is not closed');
      push('text', start, i + 1, text.slice(start + 1, i));
    } else if (c === '`') {
      at += 1;
      const stopped = template(start);
      if (stopped) return stopped;
    } else if (/[0-9]/.test(c) || (c === '.' && /[0-9]/.test(text.charAt(at + 1)))) {
      const number =
        /^(?:0[xXbBoO][0-9a-fA-F_]+|(?:[0-9][0-9_]*)?\.?[0-9_]*(?:[eE][+-]?[0-9_]+)?)n?/.exec(text.slice(at, at + 400))?.[0] ?? c;
      push('number', start, at + Math.max(1, number.length));
    } else if (c === '/') {
      const meaning = slash();
      if (meaning === 'unclear') return stop(start, '`/` could divide or open a regular expression');
      if (meaning === 'division') push('sign', start, text[at + 1] === '=' ? at + 2 : at + 1);
      else {
        let i = at + 1;
        let inClass = false;
        for (; i < text.length; i += 1) {
          const r = text[i];
          if (r === '\n' || r === '\r' || r === '\u2028' || r === '\u2029') return stop(start, 'a regular expression that is not closed');
          if (r === '\\') i += 1;
          else if (r === '[') inClass = true;
          else if (r === ']') inClass = false;
          else if (r === '/' && !inClass) break;
        }
        if (i >= text.length) return stop(start, 'a regular expression that is not closed');
        i += 1;
        while (i < text.length && wordPart.test(text.charAt(i))) i += 1;
        push('regex', start, i);
      }
    } else if (c === '(' || c === '[' || c === '{') {
      const last = tokens.at(-1);
      open.push({ sign: c, headed: c === '(' && last?.kind === 'word' && headed.has(last.value) && tokens.at(-2)?.value !== '.' });
      push('sign', start, at + 1);
    } else if (c === ')' || c === ']' || c === '}') {
      const closes = open.pop();
      const expected = closes?.sign === '(' ? ')' : closes?.sign === '[' ? ']' : '}';
      if (!closes || expected !== c) return stop(start, `\`${c}\` closes nothing`);
      if (closes.sign === '`') {
        tokens.push({ kind: 'sign', value: '}$', start, end: at + 1 });
        at += 1;
        const stopped = template(start);
        if (stopped) return stopped;
      } else {
        lastClosedHeaded = closes.headed;
        push('sign', start, at + 1);
      }
    } else {
      const point = String.fromCodePoint(text.codePointAt(at) ?? 0);
      if (wordStart.test(point) || c === '#') {
        let i = at + point.length;
        for (let next = text.codePointAt(i); next !== undefined && wordPart.test(String.fromCodePoint(next)); next = text.codePointAt(i))
          i += next > 0xffff ? 2 : 1;
        push('word', start, i);
      } else if (/[<>=+\-*%&|^!~?:;,.@]/.test(c)) {
        const sign = signs.find((candidate) => text.startsWith(candidate, at)) ?? c;
        // `>` is never joined to what follows, or `Array<Array<x>>` would not be read as types.
        push('sign', start, at + (c === '>' ? 1 : sign.length));
      } else return stop(start, `the character \`${point}\``);
    }
  }
  const unclosed = open.at(-1);
  return unclosed ? stop(text.length, `\`${unclosed.sign}\` is not closed`) : { tokens, comments };
}
