/**
 * Examples of diagnostics: test/golden/diagnostics/<CODE>.txt. Prose first; then files laid over the base mesh beside it, once as they raise the
 * diagnostic and once repaired; and what the compiler says, which the golden suite checks (`UPDATE_GOLDEN=1` writes it).
 *
 *   Why it is refused, in a sentence or two.
 *   -- types off --                      optional: without the type checker, for the run-time twin of a type error
 *   -- bad: shop/access.policy.ts --
 *   ...
 *   -- good: shop/access.policy.ts --
 *   ...
 *   -- says --
 *   policies/shop/access.policy.ts:3:1  error MW...
 */
import { readFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';

export interface DiagnosticExample {
  readonly code: string;
  readonly prose: string;
  readonly types: boolean;
  /** Path below policies -> text; null takes the base's file away. */
  readonly bad: ReadonlyMap<string, string | null>;
  readonly good: ReadonlyMap<string, string | null>;
  readonly says: string;
}

export function parseExample(code: string, text: string): DiagnosticExample {
  const [prose = '', ...sections] = text.split(/^(?=-- .+ --$)/m);
  const bad = new Map<string, string | null>();
  const good = new Map<string, string | null>();
  let says = '';
  let types = true;
  for (const section of sections) {
    const end = section.indexOf('\n');
    const head = section.slice(3, end - 3);
    const body = section.slice(end + 1);
    const [, side, file] = /^(bad|good): (\S+)$/.exec(head) ?? [];
    const [, gone, absent] = /^(bad|good) without: (\S+)$/.exec(head) ?? [];
    if (side !== undefined && file !== undefined) (side === 'bad' ? bad : good).set(file, body);
    else if (gone !== undefined && absent !== undefined) (gone === 'bad' ? bad : good).set(absent, null);
    else if (head === 'says') says = body;
    else if (head === 'types off') types = false;
    else throw new Error(`${code}: unknown section \`${head}\``);
  }
  return { code, prose: prose.trim(), types, bad, good, says: says.trimEnd() };
}

/** The file's text with what the compiler says put in. */
export function withSays(text: string, says: string): string {
  const at = text.search(/^-- says --$/m);
  return `${(at < 0 ? text : text.slice(0, at)).trimEnd()}\n-- says --\n${says}\n`;
}

/** All examples of a folder, by code. */
export function readExamples(folder: string): ReadonlyMap<string, DiagnosticExample> {
  const names = readdirSync(folder).filter((name) => /^MW\d{4}\.txt$/.test(name));
  return new Map(
    names.sort().map((name) => [name.slice(0, 6), parseExample(name.slice(0, 6), readFileSync(path.join(folder, name), 'utf8'))]),
  );
}
