import { digestOfJson, type Digest } from '../lib/digest';

/** The sources of one policy repository, read once. Everything after this works on it and reads nothing more. */
export interface SourceTree {
  /** What people call it: a directory or a commit. It is in no digest. */
  readonly root: string;
  /** Path relative to the policy directory, with `/`, to text. In order of path. */
  readonly files: ReadonlyMap<string, string>;
  /** What `#name` means: pattern to path relative to the policy directory, each with at most one `*`. */
  readonly imports: { readonly [pattern: string]: string };
  /** Of the paths, the texts and the imports; not of the root. */
  readonly digest: Digest;
}

/** `#books` is what `books/public.ts` shares. */
const defaultImports: { readonly [pattern: string]: string } = { '#*': '*/public.ts' };

/** Makes a tree of files that were already read (a directory, a commit, a generator of tests). */
export function sourceTree(
  files: Iterable<readonly [path: string, text: string]>,
  root = 'policies',
  imports: SourceTree['imports'] = defaultImports,
): SourceTree {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { root, files: new Map(sorted), imports, digest: digestOfJson({ files: sorted, imports }) };
}

/** The team of the root module: it speaks for the platform. */
const rootTeam = 'mesh';
export const rootModule = 'mesh.policy.ts';

/** The owner of a file: the first folder of its path, or `mesh` for files beside the root module. */
export function teamOfFile(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? rootTeam : path.slice(0, slash);
}

export const isTestFile = (path: string): boolean => path.endsWith('.policy.test.ts');
/** What is exported from such a file is in force. */
export const isPolicyFile = (path: string): boolean => path.endsWith('.policy.ts');
export const isPublicFile = (path: string): boolean => /^[^/]+\/public\.ts$/.test(path);
/** Files of nouns: `services.policy.ts`, `anything.services.policy.ts`, and generated facts. */
export const isNounFile = (path: string): boolean => /(?:^|[/.])services\.policy\.ts$/.test(path) || path === rootModule;
