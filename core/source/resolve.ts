import { isTestFile, teamOfFile, type SourceTree } from './tree';

/** What an import means. The same function decides in the checks, for the bundler and for the type check's paths. */
export type Resolution =
  | { readonly kind: 'file'; readonly path: string; readonly json: boolean; readonly byName: boolean }
  | { readonly kind: 'sdk'; readonly name: SdkModule }
  | { readonly kind: 'refused'; readonly why: Refusal; readonly target: string };
export type Refusal = 'not-found' | 'escapes' | 'leaves-team' | 'node' | 'package' | 'absolute' | 'url' | 'testing';
export type SdkModule = 'meshwright/policy' | 'meshwright/testing';

const nodeModules = new Set(
  (
    'assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector ' +
    'inspector/promises module net os path path/posix path/win32 perf_hooks process punycode querystring readline readline/promises repl sea sqlite stream stream/consumers stream/promises ' +
    'stream/web string_decoder sys test test/reporters timers timers/promises tls trace_events tty url util util/types v8 vm wasi worker_threads zlib'
  ).split(' '),
);

/** Resolves `specifier` as written in the file `from`. Reads nothing but the tree. */
export function resolveImport(tree: SourceTree, from: string, specifier: string): Resolution {
  const refused = (why: Refusal, target = specifier): Resolution => ({ kind: 'refused', why, target });
  if (specifier === 'meshwright/policy') return { kind: 'sdk', name: specifier };
  if (specifier === 'meshwright/testing') return isTestFile(from) ? { kind: 'sdk', name: specifier } : refused('testing');
  if (specifier.startsWith('node:') || nodeModules.has(specifier)) return refused('node');
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(specifier) || specifier.startsWith('//'))
    return refused(/^[a-zA-Z]:[\\/]/.test(specifier) ? 'absolute' : 'url');
  if (specifier.startsWith('/') || specifier.startsWith('\\\\')) return refused('absolute');
  if (specifier.startsWith('#')) {
    const target = byName(tree.imports, specifier);
    if (target === null) return refused('not-found', specifier);
    const path = tree.files.has(target) ? target : null;
    return path === null ? refused('not-found', target) : { kind: 'file', path, json: path.endsWith('.json'), byName: true };
  }
  if (!/^\.\.?(?:\/|$)/.test(specifier)) return refused('package');
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return refused('escapes');
  }
  const bare = parts.join('/');
  const path = [bare, `${bare}.ts`, bare.replace(/\.js$/, '.ts')].find((candidate) => tree.files.has(candidate));
  const home = teamOfFile(from);
  const there = teamOfFile(path ?? (bare.includes('/') ? bare : `${bare}.ts`));
  // Files beside the root module (the mesh itself) may be named by anybody; a team's files by itself.
  if (home !== there && there !== 'mesh') return refused('leaves-team', there);
  if (path === undefined) return refused('not-found', `${bare}.ts`);
  return { kind: 'file', path, json: path.endsWith('.json'), byName: false };
}

/** The target of a `#name`: exact entries first, then the pattern with the longest part before its `*` (as Node.js does). */
function byName(imports: SourceTree['imports'], specifier: string): string | null {
  if (Object.hasOwn(imports, specifier)) return imports[specifier] ?? null;
  let best: { pattern: string; rest: string } | null = null;
  for (const pattern of Object.keys(imports)) {
    const star = pattern.indexOf('*');
    if (star < 0) continue;
    const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
    if (specifier.length <= before.length + after.length || !specifier.startsWith(before) || !specifier.endsWith(after)) continue;
    if (!best || star > best.pattern.indexOf('*'))
      best = { pattern, rest: specifier.slice(before.length, specifier.length - after.length) };
  }
  if (!best || !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(best.rest)) return null;
  return imports[best.pattern]?.replace('*', best.rest) ?? null;
}
