import { readFile, stat } from 'node:fs/promises';
import type { Outcome } from '../core/diagnostics/diagnostic';
import { gitops } from '../core/diagnostics/gitops';
import { isNotFound } from './files';

/** The secret in a file of mode 0600 (or stricter), without the newline at its end. Read anew at each use, so that it can be rotated in place. */
export async function readSecret(file: string): Promise<Outcome<string>> {
  const bad = (reason: string): Outcome<string> => ({ diagnostics: [gitops.secretFile({ file, reason })] });
  try {
    const { mode } = await stat(file);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) return bad(`others may read it (mode ${(mode & 0o777).toString(8)})`);
    const value = (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
    return value === '' ? bad('it is empty') : { value, diagnostics: [] };
  } catch (error) {
    return bad(isNotFound(error) ? 'it is not there' : 'it cannot be read');
  }
}
