import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { reasonOf } from '../core/lib/reason';

/**
 * Writes a file so that a reader, or a start after a kill at any moment, sees the old bytes or the new ones, never a part: a temporary
 * file beside it, fsync, rename, fsync of the folder. `mode` defaults to 0644; give 0600 for keys and tokens.
 */
export async function writeFileAtomic(file: string, data: string | Uint8Array, options: { readonly mode?: number } = {}): Promise<void> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${path.basename(file)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`);
  const mode = options.mode ?? 0o644;
  try {
    const handle = await fs.open(temporary, 'wx', mode);
    try {
      await handle.chmod(mode); // the umask is not part of the meaning
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, file);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Makes a rename or a removal in the folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether there is a file or folder of that name. Anything but its absence that keeps it from being looked at is thrown. */
export async function isThere(file: string): Promise<boolean> {
  try {
    await fs.stat(file);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** The text of a file; null when there is none. Every other trouble throws. */
export async function readTextIfThere(file: string): Promise<string | null> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** The text of a file that somebody else writes: no more of it is read than it may have. Throws one line when it has more, whatever its size is said to be. */
export async function readTextUpTo(file: string, mostBytes: number): Promise<string> {
  // a pipe that nobody writes to would be waited for without end
  const handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of handle.createReadStream({ end: mostBytes, autoClose: false })) {
      if (!Buffer.isBuffer(chunk)) throw new Error('internal: a stream without an encoding gives bytes');
      size += chunk.length;
      chunks.push(chunk);
    }
    if (size > mostBytes) throw new Error(`it has more than ${mostBytes} bytes`);
    // bytes that are no text would be read as others
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } finally {
    await handle.close();
  }
}

/** A JSON file's value, for the caller to check; null when there is no file. A file that is not JSON throws with its name. */
export async function readJsonIfThere(file: string): Promise<unknown> {
  const text = await readTextIfThere(file);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not JSON: ${reasonOf(error)}`, { cause: error });
  }
}

/** Every file below a folder, as paths relative to it with `/`, sorted. Links are not followed. An absent folder has none. */
export async function listFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const entry of await fs.readdir(path.join(folder, below), { withFileTypes: true })) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await walk(name);
      else if (entry.isFile()) found.push(name);
    }
  };
  try {
    await walk('');
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return found.sort();
}

/** Writes a set of files below a folder: what is not in the set and was there before goes. For generated folders only. */
export async function replaceFolder(folder: string, files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  for (const old of await listFiles(folder)) if (!files.has(old)) await fs.rm(path.join(folder, old), { force: true });
  const made = new Set<string>();
  for (const [name, data] of files) {
    const file = path.join(folder, name);
    const parent = path.dirname(file);
    if (!made.has(parent)) await fs.mkdir(parent, { recursive: true });
    made.add(parent);
    await fs.writeFile(file, data);
  }
}

/** A fresh folder in the system's temporary place, readable by this user only. The caller removes it. */
export async function temporaryFolder(purpose: string): Promise<string> {
  return fs.mkdtemp(path.join(os.tmpdir(), `meshwright-${purpose}-`));
}

/** `${XDG_CACHE_HOME:-~/.cache}/meshwright/<parts>`; not made. */
export function cacheFolder(...parts: readonly string[]): string {
  const base = process.env['XDG_CACHE_HOME'];
  return path.join(base !== undefined && base !== '' ? base : path.join(os.homedir(), '.cache'), 'meshwright', ...parts);
}

/** Whether an error of node:fs says that the file or a folder on the way is not there. */
export function isNotFound(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
