/** What types let through must be said by a later stage, with its own code, in the file that holds it. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { compile } from '../../compiler/pipeline';
import { readDirectory } from '../../compiler/source';
import { type SourceTree, sourceTree } from '../../core/source';
import { holes } from './holes';
import { type TypeError, checkPolicies, root } from './policy-compiler';

let base: SourceTree;
let folder = '';
let typeErrors: readonly TypeError[];
const withHole = (file: string, text: string): [string, string][] =>
  [...new Map([...base.files, [file, text] as const])].filter(([name]) => !name.endsWith('.test.ts'));

beforeAll(async () => {
  const read = await readDirectory(path.join(root, 'policies'));
  if (!read.value) throw new Error('the policies cannot be read');
  base = read.value;
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'meshwright-holes-')));
  for (const hole of holes) {
    for (const [name, text] of withHole(hole.file, hole.text)) {
      const file = path.join(folder, hole.number, 'policies', name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    await writeFile(path.join(folder, hole.number, 'package.json'), '{ "imports": { "#*": "./policies/*/public.ts" } }');
  }
  // One repository's names are one program's, so each is checked alone.
  const checked = await Promise.all(holes.map(({ number }) => checkPolicies([path.join(folder, number, '**', '*.ts')], folder)));
  typeErrors = checked.flatMap(({ errors }) => errors);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('every hole compiles', () => expect(typeErrors).toEqual([]));

test.each(holes.map((hole) => [hole.number, hole.what, hole] as const))('%s %s', async (_, __, hole) => {
  const { diagnostics } = await compile(sourceTree(withHole(hole.file, hole.text)), {
    asOf: '2026-11-22',
    typecheck: false,
    stopAfter: 'analyse',
  });
  const errors = diagnostics.filter((one) => one.severity === 'error');
  expect(errors.map((one) => one.code)).toContain(hole.code);
  expect(errors.flatMap((one) => [one.span?.file, ...(one.related ?? []).map((other) => other.span?.file)])).toContain(hole.file);
});
