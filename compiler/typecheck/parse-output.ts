import type { Diagnostic, Related, Span } from '../../core/diagnostics/diagnostic';
import { source } from '../../core/diagnostics/source';
import type { SourceTree } from '../../core/source';
import { helpFor } from './help';

const located = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/;
const bare = /^error (TS\d+): (.*)$/;

interface Said {
  readonly file: string | null;
  readonly line: number;
  readonly column: number;
  readonly ts: string;
  readonly says: string;
  readonly more: string[];
}

/** The compiler's plain output as diagnostics. `prefix` is the folder of the policies in the project, with its slash. */
export function parseOutput(output: string, tree: SourceTree, prefix: string): readonly Diagnostic[] {
  const all: Said[] = [];
  for (const line of output.split(/\r?\n/)) {
    const at = located.exec(line);
    const none = at ? null : bare.exec(line);
    if (at) all.push({ file: at[1] ?? '', line: Number(at[2]), column: Number(at[3]), ts: at[4] ?? '', says: at[5] ?? '', more: [] });
    else if (none) all.push({ file: null, line: 0, column: 0, ts: none[1] ?? '', says: none[2] ?? '', more: [] });
    else if (/^\s+\S/.test(line)) all.at(-1)?.more.push(line.trim());
  }
  return all.map((one) => toDiagnostic(one, tree, prefix));
}

function toDiagnostic(said: Said, tree: SourceTree, prefix: string): Diagnostic {
  const file = said.file?.startsWith(prefix) ? said.file.slice(prefix.length) : null;
  const text = file === null ? undefined : tree.files.get(file);
  const span = file === null || text === undefined ? undefined : spanOf(file, text, said.line, said.column);
  const related: Related[] = said.more.slice(0, 8).map((message) => ({ message: withoutStop(message) }));
  const where = { span, related };
  const number = Number(said.ts.slice(2));
  // 1000 to 1999 are the parser's.
  if (number >= 1000 && number < 2000 && number !== 1484) return source.syntax({ says: `${withoutStop(said.says)} (${said.ts})` }, where);
  return source.type({ ts: said.ts, says: withoutStop(said.says), help: helpFor(said.ts, [said.says, ...said.more].join('\n')) }, where);
}

const withoutStop = (text: string): string => text.replace(/\.$/, '');

/** From the place that the compiler names to the end of the word or text that starts there. */
function spanOf(file: string, text: string, line: number, column: number): Span {
  const rest = (text.split('\n')[line - 1] ?? '').slice(column - 1);
  const word = /^(?:[\w$]+|'[^']*'|"[^"]*"|`[^`]*`)/.exec(rest)?.[0] ?? rest.slice(0, 1);
  return { file, line, column, endLine: line, endColumn: column + Math.max(1, word.length) };
}
