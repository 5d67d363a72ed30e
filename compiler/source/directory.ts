import { constants } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { source } from '../../core/diagnostics/source';
import { rootModule, type SourceTree } from '../../core/source';
import { collector, type Collector } from './collect';
import { limits } from './limits';

/**
 * Reads the policies of a directory: the policy directory itself, or a repository that holds it as `policies/`. Follows no link below it.
 * Errors: MW10xx with a span in the file, relative to the policy directory.
 */
export async function readDirectory(dir: string): Promise<Outcome<SourceTree>> {
  const root = await policyDirectory(dir);
  if (root === null) return { diagnostics: [source.noDirectory({ dir })] };
  const collect = collector();
  await readFolder(root, '', collect);
  const packageJson = await readPackage(join(dirname(root), 'package.json'), collect);
  return collect.finish(dir, packageJson, basename(root));
}

async function policyDirectory(dir: string): Promise<string | null> {
  try {
    const root = await realpath(resolve(dir));
    const isFolder = async (path: string): Promise<boolean> => (await lstat(path).catch(() => null))?.isDirectory() ?? false;
    if (!(await isFolder(root))) return null;
    const rootModuleHere = await lstat(join(root, rootModule)).catch(() => null);
    if (rootModuleHere === null && (await isFolder(join(root, 'policies')))) return join(root, 'policies');
    return root;
  } catch {
    return null;
  }
}

async function readFolder(folder: string, prefix: string, collect: Collector): Promise<void> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    collect.refuse(source.unreadable({ name: prefix || '.', reason: codeOf(error) }));
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (collect.full) return;
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    const is = entry.isSymbolicLink() ? 'link' : entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other';
    const verdict = collect.entry(path, is, entry.isSocket() ? 'a socket' : entry.isFIFO() ? 'a pipe' : 'a device');
    if (verdict === 'enter') await readFolder(join(folder, entry.name), path, collect);
    if (verdict === 'read') await readOne(join(folder, entry.name), path, collect);
  }
}

async function readOne(absolute: string, path: string, collect: Collector): Promise<void> {
  try {
    // The name may have become a link or a pipe since it was listed: neither is followed or waited for.
    const handle = await open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) return collect.refuse(source.notAFile({ name: path, is: 'no longer a file' }));
      if (!collect.admits(path, stat.size)) return;
      const bytes = Buffer.alloc(stat.size);
      const { bytesRead } = await handle.read(bytes, 0, stat.size, 0);
      collect.file(path, bytes.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
  } catch (error) {
    collect.refuse(source.unreadable({ name: path, reason: codeOf(error) }, { span: { file: path, line: 1, column: 1 } }));
  }
}

async function readPackage(path: string, collect: Collector): Promise<string | null> {
  const stat = await lstat(path).catch(() => null);
  if (!stat?.isFile()) return null;
  if (stat.size > limits.fileBytes) {
    collect.refuse(source.fileTooLarge({ what: 'package.json', found: `${stat.size} bytes`, limit: `${limits.fileBytes} bytes` }));
    return null;
  }
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'it failed';
}
