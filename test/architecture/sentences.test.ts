/**
 * The definition in sentences (core/semantics/README.md): numbered in order, each with a page; and whoever cites one cites one that is there.
 * `UPDATE_GOLDEN=1` numbers what was added (`?. `) or moved, and everything that cites what comes after.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { citedIn, numberOf, renumbered, sentencesOf, withMoved } from './sentence-numbers';

const root = path.resolve(__dirname, '..', '..');
const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');
const definition = read('core/semantics/README.md');

const folders = [
  'core',
  'platform',
  'sdk',
  'compiler',
  'runtime-proxy',
  'webhook',
  'deploy',
  'gitops',
  'web',
  'cli',
  'scripts',
  'bench',
  'test',
  'docs',
  'examples',
  'policies',
];
const texts = (folder: string): readonly string[] =>
  fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name}`)
    .filter((name) => /\.(?:ts|md)$/.test(name) && !/\/(?:gen|node_modules)\//.test(name));

/** Not this file, whose examples are about other sentences. */
const citing = (): readonly string[] =>
  ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...folders.flatMap(texts)].filter(
    (name) => name !== 'test/architecture/sentences.test.ts',
  );

if (process.env['UPDATE_GOLDEN'] === '1') {
  if (process.env['CI'] !== undefined) throw new Error('sentences are not renumbered in CI');
  const { text, moved } = renumbered(definition);
  for (const name of citing()) {
    const after = name === 'core/semantics/README.md' ? text : withMoved(name, read(name), moved);
    if (after !== read(name)) fs.writeFileSync(path.join(root, name), after);
  }
}

const sentences = sentencesOf(read('core/semantics/README.md'));
const numbers = sentences.map(numberOf);

it('sentences are numbered from 1, one a line, in order', () => {
  expect(numbers.length).toBeGreaterThan(50);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});
it('each ends with the page it agrees with, or the decision that is in its place', () => {
  expect(sentences.filter((line) => !/ \([^()]*(?:\([^()]*\)[^()]*)*\)\.$/.test(line))).toEqual([]);
});
it('none refers to another by its number, which may move', () => {
  expect(sentences.filter((line) => /\([0-9]{1,3}\)|[:,] [0-9]{1,3}\)/.test(line))).toEqual([]);
});
it('the decisions it names are there', () => {
  const decisions = fs.readdirSync(path.join(root, 'docs/adr'));
  const named = [...definition.matchAll(/ADR ([0-9]{4})/g)].map((found) => found[1] ?? '');
  expect(named.filter((number) => !decisions.some((name) => name.startsWith(`${number}-`)))).toEqual([]);
});
it('the picture has its sections, and the sections say in which files they are', () => {
  const sections = [...definition.matchAll(/^## (.+)$/gm)].map((found) => found[1] ?? '');
  const drawn = [...definition.matchAll(/\["([A-Z][^"]*)"\]/g)].map((found) => found[1] ?? '');
  expect(drawn.length).toBeGreaterThan(5);
  expect(drawn.filter((name) => !sections.includes(name))).toEqual([]);
  const files = [...definition.matchAll(/(?<![\w/.-])((?:[\w-]+\/)*[\w-]+\.ts)\b/g)].map((found) => found[1] ?? '');
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((name) => !fs.existsSync(path.join(root, name.includes('/') ? name : `core/semantics/${name}`)))).toEqual([]);
});
it('every sentence that is cited anywhere is there', () => {
  const cited = (name: string): readonly number[] => citedIn(name, read(name));
  const files = citing();
  const wrong = files.flatMap((name) =>
    cited(name)
      .filter((number) => !numbers.includes(number))
      .map((number) => `${name}: ${number}`),
  );
  expect(cited('docs/reference/features.md').length).toBeGreaterThan(80);
  expect(files.filter((name) => name.endsWith('.ts')).flatMap(cited).length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});
it('renumbering moves what is cited, wherever it is', () => {
  const { text, moved } = renumbered('1. One (A).\n?. New (B).\n3. Moved (C).\n2. Two (D).\n');
  expect(text).toBe('1. One (A).\n2. New (B).\n3. Moved (C).\n4. Two (D).\n');
  expect(withMoved('core/a.ts', '// core/semantics/README.md, 1, 2', moved)).toBe('// core/semantics/README.md, 1, 4');
  expect(withMoved('docs/reference/features.md', '| 2 ports | `x` | 2, 3 | t |', moved)).toBe('| 2 ports | `x` | 4, 3 | t |');
  expect(citedIn('core/a.ts', '// core/semantics/README.md, 1, 2')).toEqual([1, 2]);
  expect(() => renumbered('1. One (A).\n1. Two (B).\n')).toThrow('two sentences have the number 1');
});
