/** A bundle on disk: the edge of `core/bundle/bundle.ts`, which knows the layout. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { bundleFiles, parseBundle, type Bundle } from '../core/bundle/bundle';
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

/** Writes a bundle to a folder, which then holds nothing else. */
export async function writeBundleFolder(folder: string, bundle: Bundle): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  await replaceFolder(folder, bundleFiles(bundle));
}
