import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { isNotFound, readTextIfThere, writeFileAtomic } from '../../platform/files';

/** Where journal and history lie. Names are flat: letters, digits, `.`, `-`. The tests have one that dies at any step. */
export interface Storage {
  list(): Promise<readonly string[]>;
  read(name: string): Promise<string | null>;
  /** All or nothing, and on the disk when it answers. */
  write(name: string, text: string): Promise<void>;
  /** At the end of a file, made when it is not there; on the disk when it answers if `durable`. A kill may leave a part of the text. */
  append(name: string, text: string, durable: boolean): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Lets go of what is open. */
  close(): Promise<void>;
}

/** Storage in a folder, made with mode 0700 when it is not there. */
export async function openStorage(dir: string): Promise<Storage> {
  await fs.mkdir(dir, { recursive: true, mode: 0o700 });
  const at = (name: string): string => path.join(dir, name);
  let open: { readonly name: string; readonly handle: fs.FileHandle } | null = null;
  const release = async (): Promise<void> => {
    const was = open;
    open = null;
    await was?.handle.close();
  };
  return {
    list: async () => (await fs.readdir(dir)).filter((name) => !name.startsWith('.')).sort(),
    read: (name) => readTextIfThere(at(name)),
    write: (name, text) => writeFileAtomic(at(name), text, { mode: 0o600 }),
    append: async (name, text, durable) => {
      if (open?.name !== name) {
        await release();
        open = { name, handle: await fs.open(at(name), 'a', 0o600) };
      }
      await open.handle.appendFile(text);
      if (durable) await open.handle.datasync();
    },
    rename: async (from, to) => {
      await release();
      await fs.rename(at(from), at(to));
    },
    remove: async (name) => {
      if (open?.name === name) await release();
      try {
        await fs.rm(at(name));
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    close: release,
  };
}
