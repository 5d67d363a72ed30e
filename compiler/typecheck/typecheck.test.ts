import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDirectory, sourceTree, type SourceTree } from '../source';
import { typecheck } from './typecheck';

const policies = join(__dirname, '..', '..', 'policies');
const exampleTree = async (): Promise<SourceTree> => {
  const { value, diagnostics } = await readDirectory(policies);
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
};
const withFile = (tree: SourceTree, path: string, text: string): SourceTree =>
  sourceTree([...tree.files, [path, text]], tree.root, tree.imports);

test('the example mesh is type-correct, under our configuration', async () => {
  expect(await typecheck(await exampleTree())).toEqual({ value: true, diagnostics: [] });
});

test('an error passes through with its code, span and an action', async () => {
  const tree = withFile(
    await exampleTree(),
    'books/more.policy.ts',
    "import { reviews } from './services.policy';\nexport const more = reviews.ports.web.route({ otherwise: { to: 'v1', timeout: '2 secs' } });\n",
  );
  const { value, diagnostics } = await typecheck(tree);
  expect(value).toBeUndefined();
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject({
    code: 'MW1102',
    message: expect.stringContaining('TS2322'),
    help: expect.stringContaining('500ms'),
    span: { file: 'books/more.policy.ts', line: 2, column: 70 },
  });
});

test('what the library of a policy does not hold is red', async () => {
  const tree = withFile(await exampleTree(), 'books/more.policy.ts', 'export const now = Date.now();\n');
  expect((await typecheck(tree)).diagnostics[0]).toMatchObject({ code: 'MW1102', help: expect.stringContaining('clock') });
});

test('a syntax error has its own code', async () => {
  const tree = withFile(await exampleTree(), 'books/more.policy.ts', 'export const x = = 1;\n');
  expect((await typecheck(tree)).diagnostics[0]).toMatchObject({ code: 'MW1101', span: { file: 'books/more.policy.ts', line: 1 } });
});

test('killed by time is a diagnostic of its own and is not remembered', async () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'meshwright-test-'));
  try {
    const tree = await exampleTree();
    expect((await typecheck(tree, { timeoutMs: 1, cacheDir })).diagnostics.map((d) => d.code)).toEqual(['MW1103']);
    expect((await typecheck(tree, { memoryBytes: 1, timeoutMs: 600_000, cacheDir })).diagnostics.map((d) => d.code)).toEqual(['MW1104']);
    expect((await typecheck(tree, { cacheDir })).value).toBe(true);
    expect(readdirSync(join(cacheDir, 'typecheck')).sort()).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.json$/), 'state.tsbuildinfo']);
    // From the cache: no compiler could answer in this time.
    expect((await typecheck(tree, { cacheDir, timeoutMs: 1 })).value).toBe(true);
  } finally {
    rmSync(cacheDir, { recursive: true });
  }
});
