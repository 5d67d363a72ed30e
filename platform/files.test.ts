import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { listFiles, readJsonIfThere, readTextIfThere, replaceFolder, temporaryFolder, writeFileAtomic } from './files';

let folder: string;
beforeEach(async () => (folder = await temporaryFolder('files-test')));
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

describe('files', () => {
  it('writes atomically: the mode asked for, whatever the umask, and no temporary file left', async () => {
    const umask = process.umask(0o077);
    try {
      await writeFileAtomic(path.join(folder, 'a'), 'one', { mode: 0o640 });
      await writeFileAtomic(path.join(folder, 'a'), 'two', { mode: 0o640 });
    } finally {
      process.umask(umask);
    }
    expect(await fs.readFile(path.join(folder, 'a'), 'utf8')).toBe('two');
    expect((await fs.stat(path.join(folder, 'a'))).mode & 0o777).toBe(0o640);
    expect(await fs.readdir(folder)).toEqual(['a']);
  });
  it('leaves nothing behind when it cannot write', async () => {
    await fs.mkdir(path.join(folder, 'taken'));
    await expect(writeFileAtomic(path.join(folder, 'taken'), 'x')).rejects.toThrow();
    expect(await fs.readdir(folder)).toEqual(['taken']);
  });
  it('tells absent from broken', async () => {
    expect(await readTextIfThere(path.join(folder, 'none'))).toBeNull();
    expect(await readJsonIfThere(path.join(folder, 'none'))).toBeNull();
    await fs.writeFile(path.join(folder, 'bad.json'), '{');
    await expect(readJsonIfThere(path.join(folder, 'bad.json'))).rejects.toThrow(/bad\.json is not JSON/);
  });
  it('replaces a generated folder, pruning what is stale', async () => {
    await replaceFolder(
      folder,
      new Map([
        ['a/b', '1'],
        ['c', '2'],
      ]),
    );
    await replaceFolder(
      folder,
      new Map([
        ['c', '3'],
        ['d/e/f', '4'],
      ]),
    );
    expect(await listFiles(folder)).toEqual(['c', 'd/e/f']);
    expect(await readTextIfThere(path.join(folder, 'c'))).toBe('3');
  });
  it('lists nothing for a folder that is not there', async () => expect(await listFiles(path.join(folder, 'none'))).toEqual([]));
});
