import { tokensOf, type Token } from './tokens';

/** One import of a module, as written. */
export interface ImportSite {
  readonly specifier: string;
  /** Only types: gone when the module runs. */
  readonly typeOnly: boolean;
  /** `export ... from`. */
  readonly reExport: boolean;
  /** The value of `type` in `with { ... }`, or null; `odd` when the attributes are something else. */
  readonly attribute: 'json' | 'odd' | null;
  readonly start: number;
  readonly end: number;
}
/** A word that policies may not use, or an ambient declaration. */
export interface WordSite {
  readonly kind: 'dynamic-import' | 'require' | 'declare-global' | 'declare-module' | 'declare' | 'reserved' | 'big-integer';
  readonly word: string;
  readonly start: number;
  readonly end: number;
}
export interface ModuleScan {
  readonly imports: readonly ImportSite[];
  readonly words: readonly WordSite[];
  readonly stopped?: { readonly at: number; readonly what: string };
}

/** The sandbox's own names, and the one property name that changes what an object is. */
const reserved = /^__meshwright|^__proto__$/;

/** Finds the imports of a module and the few words that matter before anything runs. */
export function scanModule(text: string): ModuleScan {
  const { tokens, stopped } = tokensOf(text);
  const imports: ImportSite[] = [];
  const words: WordSite[] = [];
  const at = (i: number): Token | undefined => tokens[i];
  const isSign = (i: number, value: string): boolean => at(i)?.kind === 'sign' && at(i)?.value === value;
  const isWord = (i: number, value: string): boolean => at(i)?.kind === 'word' && at(i)?.value === value;
  const word = (kind: WordSite['kind'], token: Token): void =>
    void words.push({ kind, word: token.value, start: token.start, end: token.end });

  /** From the specifier on: `'x'`, then maybe `with { type: 'json' }`. */
  const specifier = (i: number, typeOnly: boolean, reExport: boolean): number => {
    const text = at(i);
    if (text?.kind !== 'text') return i;
    let attribute: ImportSite['attribute'] = null;
    let next = i + 1;
    if ((isWord(next, 'with') || isWord(next, 'assert')) && isSign(next + 1, '{')) {
      const json =
        isWord(next, 'with') &&
        isWord(next + 2, 'type') &&
        isSign(next + 3, ':') &&
        at(next + 4)?.value === 'json' &&
        at(next + 4)?.kind === 'text';
      attribute = json && isSign(next + 5, '}') ? 'json' : 'odd';
      while (next < tokens.length && !isSign(next, '}')) next += 1;
    }
    imports.push({ specifier: text.value, typeOnly, reExport, attribute, start: text.start, end: text.end });
    return Math.max(next, i);
  };
  /** From a clause on to `from 'x'`; gives the index of what follows, or of the clause's start when it is none. */
  const clause = (i: number, typeOnly: boolean, reExport: boolean): number => {
    for (let j = i; j < tokens.length; j += 1) {
      const token = at(j);
      if (!token) break;
      if (isWord(j, 'from') && at(j + 1)?.kind === 'text') return specifier(j + 1, typeOnly, reExport);
      const inside = token.kind === 'word' || token.kind === 'text' || (token.kind === 'sign' && /^[{},*]$/.test(token.value));
      if (!inside) break;
      if (reExport && isSign(j, '}') && !isWord(j + 1, 'from')) break;
    }
    return i;
  };

  for (let i = 0; i < tokens.length; i += 1) {
    const token = at(i);
    if (token?.kind !== 'word' || isSign(i - 1, '.') || isSign(i - 1, '?.')) {
      if (token?.kind === 'word' && reserved.test(token.value)) word('reserved', token);
      if (token?.kind === 'number' && token.value.endsWith('n')) word('big-integer', token);
      continue;
    }
    const next = at(i + 1);
    // `{ import: 1 }` and `{ declare: 1 }` are keys.
    const isKey = isSign(i + 1, ':') && !isSign(i - 1, '?');
    if (reserved.test(token.value)) word('reserved', token);
    else if (isKey) continue;
    else if (token.value === 'import') {
      if (isSign(i + 1, '(') || isSign(i + 1, '.')) word('dynamic-import', token);
      else if (next?.kind === 'text') i = specifier(i + 1, false, false);
      else {
        const typeWord = isWord(i + 1, 'type') && !isSign(i + 2, ',') && !(isWord(i + 2, 'from') && at(i + 3)?.kind === 'text');
        if (isSign(i + (typeWord ? 3 : 2), '=')) word('require', token);
        else i = clause(i + 1, typeWord, false);
      }
    } else if (token.value === 'export') {
      if (isSign(i + 1, '=')) word('require', token);
      const typeWord = isWord(i + 1, 'type') && (isSign(i + 2, '{') || isSign(i + 2, '*'));
      const from = i + (typeWord ? 2 : 1);
      if (isSign(from, '{') || isSign(from, '*')) i = clause(from, typeWord, true);
    } else if (token.value === 'require' && isSign(i + 1, '(')) word('require', token);
    else if (token.value === 'declare' && next && next.kind === 'word') {
      if (isWord(i + 1, 'global')) word('declare-global', token);
      else if (isWord(i + 1, 'module') && at(i + 2)?.kind === 'text') {
        const allowed = ['{', 'interface', 'Register', '{', 'mesh', ':', 'typeof', 'mesh'];
        let j = i + 3;
        let same = at(i + 2)?.value === 'meshwright/policy';
        for (const expected of allowed) same = same && at(j++)?.value === expected;
        if (isSign(j, ';')) j += 1;
        same = same && isSign(j, '}') && isSign(j + 1, '}');
        words.push({ kind: 'declare-module', word: same ? 'register' : 'other', start: token.start, end: at(i + 2)?.end ?? token.end });
      } else word('declare', token);
    }
  }
  return { imports, words, ...(stopped ? { stopped } : {}) };
}
