import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../platform/files';
import { createCache } from './cache';

const isText = (value: unknown): value is string => typeof value === 'string';
let folder: string;
beforeEach(async () => (folder = await temporaryFolder('cache-test')));
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

describe('the warm cache', () => {
  it('gives back what was stored, for the same question to the same compiler only', async () => {
    const cache = createCache(folder, 'one');
    await cache.write('evaluated', { tree: 'a' }, 'value');
    expect(await cache.read('evaluated', { tree: 'a' }, isText)).toBe('value');
    expect(await cache.read('evaluated', { tree: 'b' }, isText)).toBeNull();
    expect(await cache.read('emitted', { tree: 'a' }, isText)).toBeNull();
    expect(await createCache(folder, 'two').read('evaluated', { tree: 'a' }, isText)).toBeNull();
  });
  it('takes a damaged or foreign entry for a miss', async () => {
    const cache = createCache(folder, 'one');
    await cache.write('evaluated', 'a', 'value');
    const [name = ''] = await fs.readdir(folder);
    const file = path.join(folder, name);
    await fs.writeFile(file, (await fs.readFile(file, 'utf8')).replace('value', 'VALUE'));
    expect(await cache.read('evaluated', 'a', isText)).toBeNull();
    await cache.write('evaluated', 'a', 7);
    expect(await cache.read('evaluated', 'a', isText)).toBeNull();
  });
  it('is private and bounded', async () => {
    const cache = createCache(folder, 'one');
    for (let turn = 0; turn < 70; turn += 1) await cache.write('evaluated', turn, 'value');
    const names = await fs.readdir(folder);
    expect(names.length).toBe(64);
    for (const name of names) expect((await fs.stat(path.join(folder, name))).mode & 0o077).toBe(0);
  });
  it('costs nothing but time where it cannot be written', async () => {
    await fs.writeFile(path.join(folder, 'file'), '');
    const cache = createCache(path.join(folder, 'file', 'below'), 'one');
    await cache.write('evaluated', 'a', 'value');
    expect(await cache.read('evaluated', 'a', isText)).toBeNull();
  });
});
