import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as git from 'isomorphic-git';
import { limits, readCommit, readDirectory } from '.';

let root = '';
beforeEach(() => void (root = fs.mkdtempSync(join(tmpdir(), 'meshwright-source-'))));
afterEach(() => fs.rmSync(root, { recursive: true }));

const write = (path: string, content: string | Uint8Array): void => {
  fs.mkdirSync(dirname(join(root, path)), { recursive: true });
  fs.writeFileSync(join(root, path), content);
};
const good = (): void => {
  write('policies/mesh.policy.ts', 'export const mesh = 1;\n');
  write('policies/books/services.policy.ts', "import type { x } from '../mesh.policy';\nexport const books = 1;\n");
};
const codes = async (dir = join(root, 'policies')): Promise<readonly string[]> =>
  (await readDirectory(dir)).diagnostics.map((said) => said.code);

describe('readDirectory', () => {
  test('reads TypeScript and JSON, leaves other files and hidden ones alone', async () => {
    good();
    write('policies/README.md', 'words');
    write('policies/.cache/x.ts', 'nonsense(');
    write('policies/node_modules/x/index.js', 'nonsense(');
    write('policies/books/data.json', '{}');
    const { value, diagnostics } = await readDirectory(join(root, 'policies'));
    expect(diagnostics).toEqual([]);
    expect([...(value?.files.keys() ?? [])]).toEqual(['books/data.json', 'books/services.policy.ts', 'mesh.policy.ts']);
  });

  test('a repository is read by its policies folder, with the same digest as the folder itself', async () => {
    good();
    const [whole, folder] = [await readDirectory(root), await readDirectory(join(root, 'policies'))];
    expect(whole.value?.digest).toBeDefined();
    expect(whole.value?.digest).toBe(folder.value?.digest);
  });

  test.each([
    ['a symbolic link to a file', 'MW1008', () => fs.symlinkSync('/etc/passwd', join(root, 'policies/books/x.ts'))],
    ['a symbolic link to a folder', 'MW1008', () => fs.symlinkSync('/etc', join(root, 'policies/etc'))],
    ['a link out of a hidden name', 'MW1008', () => fs.symlinkSync('/etc/passwd', join(root, 'policies/.x.ts'))],
    ['an odd name', 'MW1007', () => write('policies/books/a b.policy.ts', '')],
    ['a name that is a control character', 'MW1007', () => write('policies/books/a\u0007.ts', '')],
    ['a reserved name', 'MW1007', () => write('policies/constructor/x.policy.ts', '')],
    ['JavaScript', 'MW1013', () => write('policies/books/x.js', '')],
    ['declarations', 'MW1013', () => write('policies/books/x.d.ts', '')],
    ['a compiler configuration', 'MW1014', () => write('policies/tsconfig.json', '{}')],
    ['a package', 'MW1014', () => write('policies/books/package.json', '{}')],
    ['bytes that are not UTF-8', 'MW1010', () => write('policies/books/x.policy.ts', Uint8Array.of(0x61, 0xff))],
    ['a byte order mark', 'MW1011', () => write('policies/books/x.policy.ts', '\ufeffexport {};')],
    ['NUL', 'MW1012', () => write('policies/books/x.policy.ts', '// \u0000')],
    ['text that is shown in another order', 'MW1012', () => write('policies/books/x.policy.ts', '// \u202e')],
    ['a file too large', 'MW1003', () => write('policies/books/x.policy.ts', ' '.repeat(limits.fileBytes + 1))],
    ['folders too deep', 'MW1006', () => write(`policies/${'a/'.repeat(limits.depth)}x.policy.ts`, '')],
    [
      'names that differ in case only',
      'MW1017',
      () => {
        write('policies/books/x.policy.ts', '');
        write('policies/books/X.policy.ts', '');
      },
    ],
    ['an imports entry that leaves the policies', 'MW1016', () => write('package.json', '{"imports":{"#x":"./policies/../../x.ts"}}')],
    ['an imports entry that names a package', 'MW1016', () => write('package.json', '{"imports":{"#x":"lodash"}}')],
    ['a package.json that is not JSON', 'MW1016', () => write('package.json', '{')],
  ])('%s is refused: %s', async (_, code, spoil) => {
    good();
    spoil();
    expect(await codes()).toEqual([code]);
  });

  test('nothing to read is said', async () => {
    expect(await codes()).toEqual(['MW1001']);
    fs.mkdirSync(join(root, 'policies'));
    expect(await codes()).toEqual(['MW1002']);
  });

  test("the repository's imports name files, and other programs' entries are left alone", async () => {
    good();
    write('policies/books/helpers.ts', 'export const help = 1;\n');
    write('policies/orders/o.policy.ts', "import { help } from '#books/helpers';\nexport const o = help;\n");
    write(
      'package.json',
      '{"imports":{"#books/helpers":"./policies/books/helpers.ts","#*":"./policies/*/public.ts","#app":"./src/app.js"}}',
    );
    expect((await readDirectory(root)).diagnostics).toEqual([]);
  });

  test('a place is told by file, line and column', async () => {
    good();
    write('policies/books/x.policy.ts', "const a = 1;\n  import b from 'fs';\nexport const c = [a, b];\n");
    expect((await readDirectory(root)).diagnostics[0]).toMatchObject({
      code: 'MW1023',
      span: { file: 'books/x.policy.ts', line: 2, column: 17, endLine: 2, endColumn: 21 },
    });
  });
});

describe('readCommit', () => {
  const author = { name: 'a', email: 'a@example.org', timestamp: 0, timezoneOffset: 0 };
  const commit = async (): Promise<string> => {
    await git.init({ fs, dir: root, defaultBranch: 'main' });
    await git.add({ fs, dir: root, filepath: '.' });
    return git.commit({ fs, dir: root, message: 'x', author });
  };
  const read = async (oid: string, dir = 'policies'): Promise<Awaited<ReturnType<typeof readCommit>>> =>
    readCommit({ gitdir: join(root, '.git'), oid, dir });

  test('gives the same digest as the directory that was committed', async () => {
    good();
    write('package.json', '{"imports":{"#*":"./policies/*/public.ts"}}');
    const oid = await commit();
    const directory = await readDirectory(root);
    fs.rmSync(join(root, 'policies'), { recursive: true });
    const { value, diagnostics } = await read(oid);
    expect(diagnostics).toEqual([]);
    expect(value?.digest).toBe(directory.value?.digest);
  });

  test('a link and a submodule in the object database are refused', async () => {
    good();
    await commit();
    const blob = await git.writeBlob({ fs, dir: root, blob: Buffer.from('/etc/passwd') });
    const inner = await git.writeTree({
      fs,
      dir: root,
      tree: [
        { mode: '120000', path: 'evil.policy.ts', oid: blob, type: 'blob' },
        { mode: '160000', path: 'other', oid: '1'.repeat(40), type: 'commit' },
        { mode: '100644', path: 'mesh.policy.ts', oid: blob, type: 'blob' },
      ],
    });
    const tree = await git.writeTree({ fs, dir: root, tree: [{ mode: '040000', path: 'policies', oid: inner, type: 'tree' }] });
    const oid = await git.commit({ fs, dir: root, message: 'x', author, tree });
    expect((await read(oid)).diagnostics.map((said) => said.code)).toEqual(['MW1008', 'MW1009']);
  });

  test('a missing object, commit or folder is a diagnostic', async () => {
    good();
    const oid = await commit();
    expect((await read('0'.repeat(40))).diagnostics.map((said) => said.code)).toEqual(['MW1001']);
    expect((await read(oid, 'nowhere')).diagnostics.map((said) => said.code)).toEqual(['MW1001']);
    expect((await read(oid, '../policies')).diagnostics.map((said) => said.code)).toEqual(['MW1001']);
    expect((await read('main')).diagnostics.map((said) => said.code)).toEqual(['MW1001']);
    const { oid: blob } = await git.readBlob({ fs, dir: root, oid, filepath: 'policies/mesh.policy.ts' });
    fs.rmSync(join(root, '.git', 'objects', blob.slice(0, 2), blob.slice(2)), { force: true });
    expect((await read(oid)).diagnostics.map((said) => said.code)).toEqual(['MW1015']);
  });
});
