/**
 * The warm cache: what a successful run of the deterministic stages gave, by the digest of everything it depends on (sources, compiler, question).
 * Failures are never kept: one that hangs on a wall clock or on memory could be another's success. A damaged entry is a miss.
 */
import * as path from 'node:path';
import { digestOf, digestOfJson, shortDigest, type Digest } from '../core/lib/digest';
import { isNotFound, readTextIfThere, writeFileAtomic } from '../platform/files';
import { mkdir, readFile, readdir, rm, stat, utimes } from 'node:fs/promises';

const kept = 64;

export interface Cache {
  /** The entry, or null. `check` says whether the decoded value has the shape that was stored. */
  read<T>(kind: string, key: unknown, check: (value: unknown) => value is T): Promise<T | null>;
  write(kind: string, key: unknown, value: unknown): Promise<void>;
}

/** A cache in a folder, bounded to its most recently used entries. Trouble with the folder makes it a cache that never hits. */
export function createCache(folder: string, compiler: string): Cache {
  const fileOf = (kind: string, key: unknown): string =>
    path.join(folder, `${kind}-${shortDigest(digestOfJson({ compiler, kind, key: JSON.parse(JSON.stringify(key)) }))}.json`);
  return {
    read: async (kind, key, check) => {
      const file = fileOf(kind, key);
      const text = await readTextIfThere(file).catch(() => null);
      if (text === null) return null;
      const end = text.indexOf('\n');
      const body = text.slice(end + 1);
      if (text.slice(0, end) !== digestOf(body)) return null;
      const value: unknown = JSON.parse(body);
      const now = new Date();
      await utimes(file, now, now).catch(() => undefined);
      return check(value) ? value : null;
    },
    write: async (kind, key, value) => {
      const body = JSON.stringify(value);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFileAtomic(fileOf(kind, key), `${digestOf(body)}\n${body}`, { mode: 0o600 });
        await prune(folder);
      } catch {
        // a cache that cannot be written costs time, nothing else
      }
    },
  };
}

async function prune(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= kept) return;
  const aged = await Promise.all(names.map(async (name) => ({ name, used: (await stat(path.join(folder, name))).mtimeMs })));
  aged.sort((a, b) => b.used - a.used);
  for (const { name } of aged.slice(kept)) await rm(path.join(folder, name), { force: true });
}

/**
 * What the compiler is made of, for the cache's key: the build's own records of its sources' hashes. Null from the source tree (tests), where
 * nothing says that the code is the same: no cache then.
 */
export async function compilerFingerprint(): Promise<Digest | null> {
  const dist = path.resolve(__dirname, '..');
  if (path.basename(dist) !== 'dist') return null;
  try {
    const parts = await Promise.all(
      ['core', 'sdk', 'compiler', 'platform'].map((folder) => readFile(path.join(dist, folder, '.tsbuildinfo'), 'utf8')),
    );
    return digestOf(parts.map(digestOf).join());
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
