/** The definition in sentences (core/semantics/README.md): numbered in order, each with a page; and whoever cites one cites one that is there. */
import * as fs from 'node:fs';
import * as path from 'node:path';

const root = path.resolve(__dirname, '..', '..');
const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');
const definition = read('core/semantics/README.md');
const sentences = definition.split('\n').filter((line) => /^[0-9]/.test(line));
const numbers = sentences.map((line) => Number(/^([0-9]+)\. /.exec(line)?.[1]));

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

/** `core/semantics/README.md, 28`, and the column of the features where numbers stand alone or after a link. */
function cited(name: string): readonly number[] {
  const lines = read(name).split('\n');
  const lists =
    name === 'docs/reference/features.md'
      ? lines.flatMap((line) => [...(/\| (?:\[semantics\]\([^)]*\) )?([0-9]+(?:, [0-9]+)*) \|/.exec(line)?.slice(1, 2) ?? [])])
      : lines.flatMap((line) =>
          [...line.matchAll(/core\/semantics(?:\/README\.md\)?)?,? ([0-9]+(?:, [0-9]+)*)/g)].map((found) => found[1] ?? ''),
        );
  return lists.flatMap((list) => list.split(', ').map(Number));
}

it('sentences are numbered from 1, one a line, in order', () => {
  expect(numbers.length).toBeGreaterThan(50);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});
it('each ends with the page it agrees with, or the decision that is in its place', () => {
  expect(sentences.filter((line) => !/ \([^()]*(?:\([^()]*\)[^()]*)*\)\.$/.test(line))).toEqual([]);
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
  const files = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...folders.flatMap(texts)];
  const wrong = files.flatMap((name) =>
    cited(name)
      .filter((number) => !numbers.includes(number))
      .map((number) => `${name}: ${number}`),
  );
  expect(cited('docs/reference/features.md').length).toBeGreaterThan(80);
  expect(files.filter((name) => name.endsWith('.ts')).flatMap(cited).length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});
