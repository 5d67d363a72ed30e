import type { Declaration, DeclarationValue, Origin } from '../../core/declarations/declaration';
import type { Diagnostic, Span } from '../../core/diagnostics/diagnostic';
import { evaluate } from '../../core/diagnostics/evaluate';
import { placeAt, teamOfFile, type SourceTree } from '../../core/source';
import type { Places } from './origins';

/** The text that crosses the border, parsed: see realm/report.ts. */
export interface Declared {
  readonly marks: readonly { readonly file: string; readonly before: number }[];
  readonly found: readonly { readonly file: string; readonly path: readonly string[]; readonly n: number }[];
  readonly problems: readonly {
    readonly kind: 'array' | 'undefined' | 'accessor' | 'too-deep' | 'promise';
    readonly file: string;
    readonly path: readonly string[];
    readonly held?: readonly number[];
  }[];
  readonly odd: readonly { readonly n: number; readonly at: string; readonly what: string }[];
  readonly entries: readonly {
    readonly n: number;
    readonly value: DeclarationValue;
    readonly stack: string;
    readonly parts?: readonly { readonly path: string; readonly stack: string }[];
  }[];
}
export interface Linked {
  readonly declarations: readonly Declaration[];
  readonly origins: Readonly<Record<string, Origin>>;
  /** Rule id by the number of the declaration. */
  readonly ids: ReadonlyMap<number, string>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Gives every declaration its id, owner and place. The owner is that of the module that exports it. */
export function link(tree: SourceTree, declared: Declared, places: Places): Linked {
  const diagnostics: Diagnostic[] = [];
  const at = (file: string, name: string): Span => exportSpan(tree, file, name);
  for (const { kind, file, path } of declared.problems) {
    const span = at(file, path[0] ?? '');
    const name = shown(path.join('.'));
    if (kind === 'array') diagnostics.push(evaluate.exportedArray({ name }, { span }));
    else if (kind === 'undefined') diagnostics.push(evaluate.undefinedKey({ at: name }, { span }));
    else if (kind === 'accessor') diagnostics.push(evaluate.accessor({ at: name }, { span }));
    else if (kind === 'promise') diagnostics.push(evaluate.asynchronous({ name }, { span }));
    else diagnostics.push(evaluate.tooDeep({ at: name }, { span }));
  }

  const excused = new Set(declared.problems.flatMap((problem) => problem.held ?? []));
  const exported = new Map<number, Declared['found'][number]>();
  for (const found of declared.found) {
    const known = exported.get(found.n);
    const maker = makerOf(declared, found.n);
    if (!known || nearness(found, maker) < nearness(known, maker)) exported.set(found.n, found);
  }
  const ids = new Map<number, string>();
  const exporters = new Map<string, number>();
  for (const [n, { file, path }] of exported) {
    const maker = makerOf(declared, n);
    if (maker !== undefined && teamOfFile(maker) !== teamOfFile(file)) {
      // `export * from '#them'` would let them write rules that are in force as ours
      const params = { name: shown(path.join('.')), maker: teamOfFile(maker), exporter: teamOfFile(file) };
      diagnostics.push(evaluate.foreignExport(params, { span: at(file, path[0] ?? '') }));
    }
    const id = `${teamOfFile(file)}/${path.join('.')}`;
    if (!path.every((part, i) => isName(part, i === 0)) || id.length > 160)
      diagnostics.push(evaluate.oddExport({ name: shown(path.join('.')) }, { span: at(file, path[0] ?? '') }));
    else ids.set(n, id);
    const other = exporters.get(id);
    if (other === undefined) exporters.set(id, n);
    else {
      const first = exported.get(other);
      const related = first ? [{ message: 'the other one', span: at(first.file, first.path[0] ?? '') }] : [];
      diagnostics.push(evaluate.duplicateId({ id }, { span: at(file, path[0] ?? ''), related }));
    }
  }

  const declarations: Declaration[] = [];
  const origins: Record<string, Origin> = {};
  const odd = new Map(declared.odd.map((one) => [one.n, one]));
  for (const entry of declared.entries) {
    const frames = places.framesOf(entry.stack);
    const maker = makerOf(declared, entry.n);
    // The module's own statement: its outermost frame. Outside it are only the modules that import it; what a module can forge stands inside.
    const own = frames.findLastIndex((frame) => frame.file === maker);
    const statement = frames[own];
    const found = exported.get(entry.n);
    const wrong = odd.get(entry.n);
    if (wrong) {
      const place = { span: frames[0] };
      diagnostics.push(wrong.what === 'undefined' ? evaluate.undefinedKey({ at: shown(wrong.at) }, place) : evaluate.notJson(wrong, place));
    }
    if (!statement) {
      diagnostics.push(
        evaluate.forgedOrigin({ what: 'this module' }, { span: maker === undefined ? undefined : { file: maker, line: 1, column: 1 } }),
      );
    } else if (!found && !excused.has(entry.n)) diagnostics.push(evaluate.unreachable({ kind: entry.value.kind }, { span: statement }));
    const id = ids.get(entry.n);
    if (id === undefined || !found || !statement) continue;
    declarations.push({ id, team: teamOfFile(found.file), value: resolveRefs(entry.value, ids) });
    origins[id] = originOf(frames.slice(0, own), statement, entry.parts ?? [], places);
  }
  declarations.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return { declarations, origins: inOrder(origins), ids, diagnostics };
}

/** The module that was running when a declaration was made. */
function makerOf(declared: Declared, n: number): string | undefined {
  let low = 0;
  let high = declared.marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((declared.marks[middle]?.before ?? 0) <= n) low = middle + 1;
    else high = middle;
  }
  return declared.marks[low - 1]?.file;
}

/** Of several exports of one thing, that of its own module counts, then its own team's, then the first by path and name. */
function nearness(found: { readonly file: string }, maker: string | undefined): number {
  if (found.file === maker) return 0;
  return maker !== undefined && teamOfFile(found.file) === teamOfFile(maker) ? 1 : 2;
}

function isName(part: string, first: boolean): boolean {
  if (part.length > 100 || part === 'default' || part === '__proto__') return false;
  return first ? /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(part) : /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(part);
}

function originOf(
  inner: readonly Span[],
  span: Span,
  parts: readonly { readonly path: string; readonly stack: string }[],
  places: Places,
): Origin {
  const chain = inner.toReversed().slice(0, 16);
  const spans: Record<string, Span> = {};
  for (const part of parts) {
    const place = places.framesOf(part.stack).findLast((frame) => frame.file === span.file);
    if (place) spans[part.path] = place;
  }
  return { span, chain, ...(Object.keys(spans).length > 0 ? { parts: inOrder(spans) } : {}) };
}

function inOrder<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** `#7` becomes the id of declaration 7, everywhere but in a patch's raw content. */
export function resolveRefs<T>(value: T, ids: ReadonlyMap<number, string>): T {
  const walk = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(walk);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(
      Object.entries(node).map(([key, inner]) => {
        if (key === 'merge') return [key, inner];
        if (key === 'ref' && typeof inner === 'string' && /^#\d+$/.test(inner)) return [key, ids.get(Number(inner.slice(1))) ?? inner];
        return [key, walk(inner)];
      }),
    );
  };
  return walk(value) as T; // the same shape: only texts under `ref` changed
}

/** Where a module exports a name; the file's first line when it cannot be seen. */
function exportSpan(tree: SourceTree, file: string, name: string): Span {
  const text = tree.files.get(file) ?? '';
  const word = name.replace(/[^\w$]/g, '\\$&');
  const match =
    new RegExp(`\\bexport\\s+(?:const|let|var|function|class)\\s+(?=${word}\\b)`).exec(text) ??
    new RegExp(`\\bexport\\s*\\{[^}]*?(?=\\b${word}\\b)`).exec(text) ??
    (name === 'default' ? /\bexport\s+(?=default\b)/.exec(text) : null);
  if (!match) return { file, line: 1, column: 1 };
  const start = placeAt(text, match.index + match[0].length);
  return { file, ...start, endLine: start.line, endColumn: start.column + name.length };
}

/** One printable line of at most so many characters. */
export function shown(text: string, most = 300): string {
  return text
    .replace(
      /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .slice(0, most);
}
