import { hasErrors, type Diagnostic, type Outcome } from '../../core/diagnostics/diagnostic';
import { source } from '../../core/diagnostics/source';
import { checkTree, isPolicyFile, placeAt, sourceTree, type SourceTree } from '../../core/source';
import { limits } from './limits';

/** What a reader should do with an entry, judged by its name alone. */
export type Verdict = 'read' | 'enter' | 'skip';

const codeOfOthers = /\.(?:[mc]?js|jsx|tsx|[mc]ts|d\.ts|wasm|node)$/;
const configuration = /^(?:tsconfig.*|jsconfig.*|package)\.json$/;

/** The rules that a directory and a commit share: names, sizes, counts, encodings. Readers only supply entries and bytes. */
export interface Collector {
  /** `path` is relative to the policy directory. */
  entry(path: string, is: 'file' | 'folder' | 'link' | 'other', what?: string): Verdict;
  /** Whether a file of this size may still be read. */
  admits(path: string, bytes: number): boolean;
  file(path: string, bytes: Uint8Array): void;
  refuse(diagnostic: Diagnostic): void;
  /** Reading should end: what comes would not be used. */
  readonly full: boolean;
  finish(root: string, packageJson: string | null, folder: string): Outcome<SourceTree>;
}

/** Starts collecting one tree. */
export function collector(): Collector {
  const diagnostics: Diagnostic[] = [];
  const files = new Map<string, string>();
  const folded = new Map<string, string>();
  let entries = 0;
  let total = 0;
  let full = false;
  const at = (file: string): { span: { file: string; line: number; column: number } } => ({ span: { file, line: 1, column: 1 } });
  const stop = (diagnostic: Diagnostic): void => {
    if (!full) diagnostics.push(diagnostic);
    full = true;
  };
  return {
    get full() {
      return full;
    },
    refuse: (diagnostic) => void diagnostics.push(diagnostic),
    entry(path, is, what) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      // What tools leave behind, and Git's own folder: never read, never looked into.
      if (name.startsWith('.') || name === 'node_modules')
        return is === 'link' && name.endsWith('.ts') ? refused(source.symlink({ name: path }, at(path))) : 'skip';
      entries += 1;
      if (entries > limits.files)
        stop(source.tooManyFiles({ what: 'the policy directory', found: `more than ${limits.files} entries`, limit: `${limits.files}` }));
      if (is === 'link') return refused(source.symlink({ name: path }, at(path)));
      if (is === 'other') return refused(source.notAFile({ name: path, is: what ?? 'something else' }, at(path)));
      const read = is === 'file' && (name.endsWith('.ts') || name.endsWith('.json') || codeOfOthers.test(name));
      if (is === 'file' && !read) return 'skip';
      if (
        !/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name) ||
        name.length > limits.nameLength ||
        name.endsWith('.') ||
        /^(?:con|nul|aux|prn|__proto__|constructor|prototype)(?:\.|$)/i.test(name)
      ) {
        return refused(source.oddName({ name: printable(path) }, at(printable(path))));
      }
      const depth = path.split('/').length;
      if (depth > limits.depth)
        return refused(source.tooDeep({ what: path, found: `${depth} levels`, limit: `${limits.depth}` }, at(path)));
      const other = folded.get(path.toLowerCase());
      if (other !== undefined && other !== path) return refused(source.caseCollision({ name: path, other }, at(path)));
      folded.set(path.toLowerCase(), path);
      if (is === 'folder') return 'enter';
      if (codeOfOthers.test(name)) return refused(source.otherLanguage({ name: path }, at(path)));
      if (configuration.test(name)) return refused(source.ownConfiguration({ name: path }, at(path)));
      return 'read';
    },
    admits(path, bytes) {
      if (bytes > limits.fileBytes) {
        diagnostics.push(source.fileTooLarge({ what: path, found: `${bytes} bytes`, limit: `${limits.fileBytes} bytes` }, at(path)));
        return false;
      }
      total += bytes;
      if (total > limits.totalBytes)
        stop(source.treeTooLarge({ what: 'the policy directory', found: '', limit: `${limits.totalBytes} bytes` }));
      return !full;
    },
    file(path, bytes) {
      const text = decode(path, bytes, diagnostics);
      if (text !== null) files.set(path, text);
    },
    finish(root, packageJson, folder) {
      const imports = packageJson === null ? undefined : importsOf(packageJson, folder, diagnostics);
      if (hasErrors(diagnostics)) return { diagnostics };
      if (![...files.keys()].some(isPolicyFile)) return { diagnostics: [source.noPolicies({ dir: root })] };
      const tree = sourceTree(files, root, imports ?? undefined);
      const found = checkTree(tree);
      return hasErrors(found) ? { diagnostics: found } : { value: tree, diagnostics: found };
    },
  };

  function refused(diagnostic: Diagnostic): Verdict {
    diagnostics.push(diagnostic);
    return 'skip';
  }
}

/** Printable ASCII, so that a name can be shown without harm. */
function printable(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).slice(0, 200);
}

// Line feed, carriage return and tab are text. The others are invisible, or (U+202A to U+202E, U+2066 to U+2069) show a line in another order than it is read.
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/;

function decode(path: string, bytes: Uint8Array, diagnostics: Diagnostic[]): string | null {
  const at = { span: { file: path, line: 1, column: 1 } };
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    diagnostics.push(source.byteOrderMark({ name: path }, at));
    return null;
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    diagnostics.push(source.notUtf8({ name: path }, at));
    return null;
  }
  const odd = control.exec(text);
  if (odd) {
    const character = `U+${odd[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
    diagnostics.push(source.controlCharacter({ character }, { span: { file: path, ...placeAt(text, odd.index) } }));
    return null;
  }
  return text;
}

/** The `imports` of the policy repository's package.json, as paths below the policy directory; null when it has none. */
function importsOf(text: string, folder: string, diagnostics: Diagnostic[]): SourceTree['imports'] | null {
  const where = { span: { file: '../package.json', line: 1, column: 1 } };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    diagnostics.push(source.badImportsMap({ key: '', reason: 'cannot be read: package.json is not JSON' }, where));
    return null;
  }
  const imports = typeof parsed === 'object' && parsed !== null && 'imports' in parsed ? parsed.imports : undefined;
  if (imports === undefined) return null;
  const out: Record<string, string> = {};
  if (typeof imports !== 'object' || imports === null || Array.isArray(imports)) {
    diagnostics.push(source.badImportsMap({ key: '', reason: 'is no record' }, where));
    return null;
  }
  const prefix = `./${folder}/`;
  for (const [key, target] of Object.entries(imports)) {
    // Entries of other programs in the same repository are none of our business.
    if (typeof target === 'string' && target.startsWith('./') && !target.startsWith(prefix)) continue;
    const below = typeof target === 'string' && target.startsWith(prefix) ? target.slice(prefix.length) : null;
    const stars = (part: string): number => part.split('*').length - 1;
    if (!/^#[A-Za-z0-9_.*/-]+$/.test(key) || stars(key) > 1)
      diagnostics.push(source.badImportsMap({ key, reason: 'is no name that starts with `#`' }, where));
    else if (below === null || !/^[A-Za-z0-9_.*/-]+$/.test(below) || below.split('/').includes('..') || stars(below) !== stars(key)) {
      diagnostics.push(source.badImportsMap({ key, reason: 'does not name one file below the policy directory' }, where));
    } else out[key] = below;
  }
  return out;
}
