/** docs/reference/features.md: each row names a test that runs, or says that there is a gap; what the definition numbers is shown with real proxies. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';

const root = path.resolve(__dirname, '..', '..');
const page = 'docs/reference/features.md';
const isGap = /\| gap[:,] .*\| - \|$|\| (?:gap|refused by name)[:,] [^|]+ \|$/;
const rows = fs
  .readFileSync(path.join(root, page), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|(?: feature|-)/.test(line));
const shown = rows
  .filter((row) => !isGap.test(row))
  .map((row) => {
    const [, file = '', title = ''] = /\| ([^|\s]+\.test\.ts)::([^|]+?) \|$/.exec(row) ?? [];
    return { row, file, title };
  });

/** Who runs what is within: `test.each([...])` is `test`. With `skip`, `only` or `failing` nobody knows. */
function runnerOf(callee: ts.Expression): string | undefined {
  if (ts.isIdentifier(callee)) return callee.text;
  if (ts.isTaggedTemplateExpression(callee)) return runnerOf(callee.tag);
  if (ts.isCallExpression(callee)) return runnerOf(callee.expression);
  if (ts.isPropertyAccessExpression(callee) && callee.name.text === 'each') return runnerOf(callee.expression);
  return undefined;
}
/** Titles of tests that run, and of groups with at least one. Not looked for: whether they hold. */
function titlesIn(file: string): ReadonlySet<string> {
  const source = ts.createSourceFile(file, fs.readFileSync(path.join(root, file), 'utf8'), ts.ScriptTarget.Latest);
  const titles = new Set<string>();
  const visit = (node: ts.Node): boolean => {
    const call = ts.isCallExpression(node) ? node : undefined;
    const runner = call && runnerOf(call.expression);
    const [title, ...bodies] = call?.arguments ?? [];
    if (call && title && (runner === 'test' || runner === 'it' || runner === 'describe') && bodies.length > 0) {
      const holds = runner !== 'describe' || bodies.filter((body) => visit(body)).length > 0;
      if (holds && ts.isStringLiteralLike(title)) titles.add(title.text);
      return holds;
    }
    // what stands under `describe.skip` is not run
    if (call && ts.isPropertyAccessExpression(call.expression) && /^(?:skip|todo|failing|only)$/.test(call.expression.name.text))
      return false;
    let found = false;
    node.forEachChild((inner) => {
      found = visit(inner) || found;
    });
    return found;
  };
  visit(source);
  return titles;
}
const known = new Map<string, ReadonlySet<string>>();
function hasTest(file: string, title: string): boolean {
  if (!file.endsWith('.test.ts') || !fs.existsSync(path.join(root, file))) return false;
  const titles = known.get(file) ?? titlesIn(file);
  known.set(file, titles);
  return titles.has(title);
}

it('each row names a test that runs, by file and whole title, or says that there is a gap', () => {
  expect(shown.length).toBeGreaterThan(300);
  expect(shown.filter(({ file, title }) => !hasTest(file, title)).map(({ row }) => row)).toEqual([]);
});
it('what of routing, time, tries and endpoints the definition has is shown with real proxies', () => {
  const real = /^test\/(?:e2e|differential|kubernetes)\//;
  // of a question, or of two meshes: the compiler alone answers
  const asked = /^\| ask(?:ing|ed) | is a difference/;
  const numbered = /\| (?:\[semantics\]\([^)]+\) )?[0-9]+(?:,? (?:to )?[0-9]+)* \| [^|]+ \|$/;
  const unreal = shown.filter(({ row, file }) => numbered.test(row) && !real.test(file) && !asked.test(row));
  expect(shown.filter(({ row }) => numbered.test(row)).length).toBeGreaterThan(100);
  expect(unreal.map(({ row }) => row)).toEqual([]);
});
