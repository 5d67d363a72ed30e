/** What no import rule can say: sizes, words and globals of the sources. */
import * as fs from 'node:fs';
import * as path from 'node:path';

const root = path.resolve(__dirname, '..', '..');
const product = ['core', 'platform', 'sdk', 'compiler', 'runtime-proxy', 'webhook', 'deploy', 'gitops', 'web', 'cli'];
const all = [...product, 'scripts', 'bench', 'test'];

function sources(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name}`)
      .filter((name) => name.endsWith('.ts') && !name.includes('/gen/') && !name.includes('node_modules')),
  );
}
const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');
/** Code without comments and texts. */
const bare = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\\n]|\\.)*"/gm, '""');

it('no file is longer than 600 lines', () => {
  expect(sources(all).filter((name) => read(name).split('\n').length > 600)).toEqual([]);
});
it('files have kebab-case names', () => {
  expect(
    sources(product).filter((name) => !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|d|policy|policy\.test))?\.ts$/.test(path.basename(name))),
  ).toEqual([]);
});
it('no folder or file is called utils, helpers, common or manager (but for the filter that Envoy calls so)', () => {
  expect(
    sources(product).filter(
      (name) => /(?:^|[/-])(?:utils?|helpers?|common|managers?)(?:[/.-]|$)/.test(name) && !name.endsWith('/connection-manager.ts'),
    ),
  ).toEqual([]);
});
it('nothing is `any`', () => {
  expect(
    sources(product).filter((name) => !name.endsWith('.test.ts') && /(?::\s*|<|\bas |\|\s*)any\b(?!\()/.test(bare(read(name)))),
  ).toEqual([]);
});
it('there are no enums and no default exports', () => {
  expect(sources(product).filter((name) => /^\s*(?:export )?(?:const )?enum |^export default /m.test(bare(read(name))))).toEqual([]);
});
it('who waits until a server listens hears that it cannot', () => {
  expect(
    sources(all).filter((name) => /Promise(?:<void>)?\(\(resolve\) => (?:void )?[\w.]+\.(?:listen|bind)\(/.test(bare(read(name)))),
  ).toEqual([]);
});
it('no clock, randomness, environment or console where meaning is made', () => {
  const pure = sources(['core', 'sdk', 'compiler/lower', 'compiler/analyse', 'compiler/emit', 'compiler/diff']).filter(
    (name) => !name.endsWith('.test.ts') && !name.endsWith('.d.ts'),
  );
  expect(pure.filter((name) => /\bprocess\.|\bDate\.now|\bnew Date\(\)|\bMath\.random|\bconsole\./.test(bare(read(name))))).toEqual([]);
});
it('what is generated for a property is the same in every run: each says its seed', () => {
  const count = (name: string, what: RegExp): number => bare(read(name)).match(what)?.length ?? 0;
  expect(sources(all).filter((name) => count(name, /\bfc\.assert\(/g) !== count(name, /[{,] (?:numRuns: [\d_]+, )?seed: \d/g))).toEqual([]);
});
it('each decision has a number of its own, the one of its title', () => {
  const decisions = fs.readdirSync(path.join(root, 'docs/adr')).sort();
  const numbers = decisions.map((name) => name.slice(0, 4));
  expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
  expect(decisions.filter((name) => !read(`docs/adr/${name}`).startsWith(`# ${name.slice(0, 4)}`))).toEqual([]);
});
it('every stage and server says what it is in a README', () => {
  const stages = fs
    .readdirSync(path.join(root, 'compiler'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'emit')
    .map((entry) => `compiler/${entry.name}`);
  const folders = [
    ...stages,
    'compiler/emit/envoy',
    'platform',
    'core/diagnostics',
    'runtime-proxy/control-plane',
    'runtime-proxy/ca',
    'runtime-proxy/agent',
    'runtime-proxy/kubernetes',
    'webhook',
    'webhook/review',
    'webhook/admit',
    'webhook/inject',
    'webhook/certificates',
    'webhook/state',
    'webhook/server',
    'deploy',
    'deploy/install',
    'deploy/kubernetes',
    'gitops',
    'cli',
    'web',
  ];
  expect(folders.filter((folder) => !fs.existsSync(path.join(root, folder, 'README.md')))).toEqual([]);
});
