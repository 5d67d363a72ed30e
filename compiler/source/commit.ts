import * as fs from 'node:fs';
import { dirname, basename } from 'node:path/posix';
import { readBlob, readTree, type TreeEntry } from 'isomorphic-git';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { source } from '../../core/diagnostics/source';
import type { SourceTree } from '../../core/source';
import { collector, type Collector } from './collect';

export interface CommitPlace {
  /** A bare repository or a `.git` folder. */
  readonly gitdir: string;
  /** The commit, as a full object id. */
  readonly oid: string;
  /** The policy directory, relative to the repository's root; `.` for the root. */
  readonly dir: string;
}

/**
 * Reads the policies of a commit straight from the object database: nothing is checked out, so no link, hook, filter or attribute of the
 * repository has a say. Errors: MW10xx.
 */
export async function readCommit(place: CommitPlace): Promise<Outcome<SourceTree>> {
  const { gitdir, oid } = place;
  const dir = place.dir.replace(/^\.\/|\/+$/g, '') || '.';
  const root = `${dir}@${oid.slice(0, 12)}`;
  const cache = {};
  const read = async (path: string): Promise<readonly TreeEntry[] | null> => {
    try {
      return (await readTree({ fs, gitdir, oid, cache, ...(path === '.' ? {} : { filepath: path }) })).tree;
    } catch {
      return null;
    }
  };
  if (!/^[0-9a-f]{40}$/.test(oid) || dir.split('/').includes('..')) return { diagnostics: [source.noDirectory({ dir: root })] };
  const top = await read(dir);
  if (top === null) return { diagnostics: [source.noDirectory({ dir: root })] };

  const collect = collector();
  const walk = async (entries: readonly TreeEntry[], prefix: string): Promise<void> => {
    for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
      if (collect.full) return;
      const path = prefix === '' ? entry.path : `${prefix}/${entry.path}`;
      const is = entry.mode === '120000' ? 'link' : entry.type === 'tree' ? 'folder' : entry.type === 'blob' ? 'file' : 'other';
      const verdict = collect.entry(path, is, 'a submodule');
      try {
        if (verdict === 'enter') await walk((await readTree({ fs, gitdir, oid: entry.oid, cache })).tree, path);
        if (verdict === 'read') await readInto(path, entry.oid, collect);
      } catch {
        collect.refuse(
          source.unreadable({ name: path, reason: 'the object is missing or damaged' }, { span: { file: path, line: 1, column: 1 } }),
        );
      }
    }
  };
  const readInto = async (path: string, blobOid: string, into: Collector): Promise<void> => {
    const { blob } = await readBlob({ fs, gitdir, oid: blobOid, cache });
    if (into.admits(path, blob.byteLength)) into.file(path, blob);
  };
  await walk(top, '');

  const above = dir === '.' ? null : await read(dirname(dir));
  const entry = above?.find((candidate) => candidate.path === 'package.json' && candidate.type === 'blob' && candidate.mode !== '120000');
  let packageJson: string | null = null;
  if (entry) {
    try {
      packageJson = Buffer.from((await readBlob({ fs, gitdir, oid: entry.oid, cache })).blob).toString('utf8');
    } catch {
      collect.refuse(source.unreadable({ name: 'package.json', reason: 'the object is missing or damaged' }));
    }
  }
  return collect.finish(root, packageJson, basename(dir));
}
