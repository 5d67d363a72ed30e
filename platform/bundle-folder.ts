/** A bundle on disk: the edge of `core/bundle/bundle.ts`, which knows the layout. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { bundleFiles, isBundlePath, parseBundle, type Bundle } from '../core/bundle/bundle';
import type { Outcome } from '../core/diagnostics/diagnostic';
import { sign } from '../core/diagnostics/sign';
import { isNotFound, listFiles, replaceFolder } from './files';

/** Reads a bundle folder. Forms and spelling are checked, signatures are not: see `verifyBundle`. Links in the folder count as missing. */
export async function readBundleFolder(folder: string): Promise<Outcome<Bundle>> {
  const files = new Map<string, string>();
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (const name of await listFiles(folder)) {
    let bytes: Buffer;
    try {
      bytes = await fs.readFile(path.join(folder, name));
    } catch (error) {
      if (isNotFound(error)) continue;
      throw error;
    }
    try {
      files.set(name, decoder.decode(bytes));
    } catch {
      return { diagnostics: [sign.bundleFile({ path: name, reason: 'it is not UTF-8' })] };
    }
  }
  return parseBundle(files);
}

/**
 * What lies in a folder and is of no bundle, by its path in there; null: the folder is absent, empty, or holds a bundle and nothing else,
 * a half-written one too. Links are of no bundle.
 */
export async function strangerIn(folder: string, below = ''): Promise<string | null> {
  const entries = await fs.readdir(path.join(folder, below), { withFileTypes: true }).catch((error: unknown) => {
    if (isNotFound(error)) return [];
    throw error;
  });
  const named = entries
    .map((entry) => ({ entry, name: below === '' ? entry.name : `${below}/${entry.name}` }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const stranger = named.find(({ entry, name }) => !isBundlePath(name) || !(name.endsWith('.json') ? entry.isFile() : entry.isDirectory()));
  if (stranger) return stranger.name;
  for (const { entry, name } of named) {
    const found = entry.isDirectory() ? await strangerIn(folder, name) : null;
    if (found !== null) return found;
  }
  return null;
}

/** Writes a bundle to a folder, which then holds nothing else: the caller has looked that nothing else is there. */
export async function writeBundleFolder(folder: string, bundle: Bundle): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  await replaceFolder(folder, bundleFiles(bundle));
}
