import type { TextMatch } from '../ir/ir';
import { matchesText } from './match';

/** A text that a match takes, or undefined when none was found. */
export function exampleText(match: TextMatch): string | undefined {
  switch (match.kind) {
    case 'exact':
    case 'prefix':
      return match.value;
    case 'present':
      return 'yes';
    case 'regex':
      return [walk(match.value, 1), walk(match.value, 0), walk(match.value, 2), ...plain].find(
        (text) => text !== undefined && matchesText(match, text),
      );
  }
}
const plain = ['a', '1', 'x', 'true', 'yes', 'abc', '123', 'a-b', ''];
const classes: { readonly [letter: string]: string } = { d: '7', w: 'a', s: ' ', D: 'a', W: '-', S: 'a' };

/** The text that a left-most walk through an expression writes, with `times` turns of each repetition. A guess: the caller tries it. */
function walk(expression: string, times: number): string | undefined {
  let at = 0;
  const alternatives = (): string => {
    let first: string | undefined;
    let text = '';
    while (at < expression.length && expression[at] !== ')') {
      if (expression[at] === '|') {
        at++;
        first ??= text;
        text = '';
        continue;
      }
      const atom = one();
      text += atom.repeat(turns());
    }
    return first ?? text;
  };
  const one = (): string => {
    const character = expression[at++] ?? '';
    if (character === '(') {
      const flags = /^\?(?:P?<[A-Za-z0-9_]+>|[a-zA-Z-]*:)/.exec(expression.slice(at));
      if (flags) at += flags[0].length;
      const text = alternatives();
      at++;
      return text;
    }
    if (character === '[') return member();
    if (character === '.') return 'a';
    if (character === '^' || character === '$') return '';
    if (character !== '\\') return character;
    const escaped = expression[at++] ?? '';
    return classes[escaped] ?? (escaped === 'b' ? '' : escaped);
  };
  const member = (): string => {
    const end = expression.indexOf(']', at + 1);
    if (end < 0) return '';
    const text = expression.slice(at, end);
    at = end + 1;
    if (!text.startsWith('^')) return text.startsWith('\\') ? (classes[text[1] ?? ''] ?? text[1] ?? '') : (text[0] ?? '');
    return ['a', '1', '-', '_'].find((candidate) => !text.includes(candidate)) ?? '~';
  };
  const turns = (): number => {
    const repetition = /^(?:[*+?]|\{([0-9]+)(?:,[0-9]*)?\})\??/.exec(expression.slice(at));
    if (!repetition) return 1;
    at += repetition[0].length;
    if (repetition[1] !== undefined) return Number(repetition[1]);
    return repetition[0].startsWith('+') ? Math.max(1, times) : repetition[0].startsWith('?') ? Math.min(1, times) : times;
  };
  const text = alternatives();
  return at >= expression.length ? text : undefined;
}
